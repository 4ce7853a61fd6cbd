"""The agents and the tasks that they run."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from coinrequest import problem_details
from coinrequest.airflow import celery_pool, helper_tasks
from coinrequest.airflow.celery_pool import AgentsUnreachable, CeleryPool, Running
from coinrequest.api import problems
from coinrequest.api.authentication import new_session
from coinrequest.api.operations_models import Agent, AgentList, RunningTask
from coinrequest.api.rights import JobNames
from coinrequest.jobs.run_ids import jobs_of_runs
from coinrequest.single_flight import SingleFlight

router = APIRouter(tags=["Operations"])

# Seconds to wait for an inspection; one that takes longer continues, and the next caller gets its result.
_TIME_LIMIT = 3 * celery_pool.TIME_LIMIT
_KEEP = 1.0

_pool: CeleryPool | None = None


def _inspect() -> list[celery_pool.Agent]:
    global _pool
    _pool = _pool or celery_pool.airflow_pool()
    return _pool.agents()


# All callers in this process share it.
inspection = SingleFlight(_inspect, keep=_KEEP, name="agents")


@router.get("/v1/agents", summary="List the agents", response_model=AgentList, responses=problems.documented())
async def list_agents(names: JobNames, request: Request) -> Any:
    """The agents that respond, with the tasks that they run, at most one second old.

    A task whose jobs the user may not read is listed without details. An agent that is not listed did not respond. 503
    if the broker cannot be reached.
    """
    try:
        agents = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(inspection.call())), _TIME_LIMIT)
    except TimeoutError:
        return _unreachable(request, f"The broker did not answer within {_TIME_LIMIT:g} s")
    except AgentsUnreachable as error:
        return _unreachable(request, str(error))
    return await run_in_threadpool(_agent_list, agents, names)


def _unreachable(request: Request, detail: str) -> Any:
    return problem_details.unavailable(request, detail)


def _agent_list(agents: list[celery_pool.Agent], names: frozenset[str] | None) -> AgentList:
    workloads = [task.workload for agent in agents for task in agent.running if task.workload]
    with new_session() as session:
        jobs = jobs_of_runs(session, {(workload.dag_id, workload.run_id) for workload in workloads})
    return AgentList(
        agents=[
            Agent(
                name=agent.name,
                host=agent.host,
                queues=list(agent.queues),
                concurrency=agent.concurrency,
                started_at=agent.started_at,
                processed=agent.processed,
                running=[_running_task(_visible(task, names), jobs) for task in agent.running],
                trouble=agent.trouble,
                actions=None if agent.actions is None else dict(agent.actions),
            )
            for agent in agents
        ]
    )


def _visible(task: Running, names: frozenset[str] | None) -> Running:
    hidden = names is not None and task.workload is not None and task.workload.dag_id not in names
    return replace(task, workload=None) if hidden else task


def _running_task(task: Running, jobs: dict[tuple[str, str], UUID]) -> RunningTask:
    workload = task.workload
    if workload is None:
        return RunningTask(since=task.since)
    job = jobs.get((workload.dag_id, workload.run_id))
    return RunningTask(
        job=job,
        job_type=workload.dag_id if job else None,
        dag_id=workload.dag_id,
        run_id=workload.run_id,
        task=helper_tasks.shown_task(workload.task_id),
        map_index=workload.map_index,
        attempt=workload.attempt,
        since=task.since,
    )
