"""The agents and what they run."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from coinrequest import problem_details
from coinrequest.airflow import celery_pool
from coinrequest.airflow.celery_pool import AgentsUnreachable, CeleryPool, Running
from coinrequest.api import problems
from coinrequest.api.authentication import new_session
from coinrequest.api.operations_models import Agent, AgentList, RunningTask
from coinrequest.api.rights import JobNames
from coinrequest.jobs.run_ids import jobs_of_runs
from coinrequest.single_flight import SingleFlight

router = APIRouter(tags=["Operations"])

# An answer that takes longer than this counts as none; the look goes on, and its answer is there for the next caller.
_TIME_LIMIT = 3 * celery_pool.TIME_LIMIT
_KEEP = 1.0

_pool: CeleryPool | None = None


def _look() -> list[celery_pool.Agent]:
    global _pool
    _pool = _pool or celery_pool.airflow_pool()
    return _pool.agents()


_agents = SingleFlight(_look, keep=_KEEP, name="agents")


def look() -> SingleFlight[list[celery_pool.Agent]]:
    """Return the look at the agents that all callers share."""
    return _agents


@router.get("/v1/agents", summary="List the agents", response_model=AgentList, responses=problems.documented())
async def list_agents(names: JobNames, request: Request) -> Any:
    """The agents that answer now, with what each of them runs; as of one second ago at most.

    Of a task whose jobs the user may not read it is only said that there is one.
    503 when the broker cannot be reached. An agent that is not in the list does not answer.
    """
    try:
        agents = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(_agents.call())), _TIME_LIMIT)
    except TimeoutError:
        return _unreachable(request, f"The broker did not answer within {_TIME_LIMIT:g} s")
    except AgentsUnreachable as error:
        return _unreachable(request, str(error))
    return await run_in_threadpool(_described, agents, names)


def _unreachable(request: Request, detail: str) -> Any:
    return problem_details.unavailable(request, detail)


def _described(agents: list[celery_pool.Agent], names: frozenset[str] | None) -> AgentList:
    works = [task.workload for agent in agents for task in agent.running if task.workload]
    with new_session() as session:
        jobs = jobs_of_runs(session, {(work.dag_id, work.run_id) for work in works})
    return AgentList(
        agents=[
            Agent(
                name=agent.name,
                host=agent.host,
                queues=list(agent.queues),
                concurrency=agent.concurrency,
                started_at=agent.started_at,
                processed=agent.processed,
                running=[_running(_visible(task, names), jobs) for task in agent.running],
                trouble=agent.trouble,
            )
            for agent in agents
        ]
    )


def _visible(task: Running, names: frozenset[str] | None) -> Running:
    hidden = names is not None and task.workload is not None and task.workload.dag_id not in names
    return replace(task, workload=None) if hidden else task


def _running(task: Running, jobs: dict[tuple[str, str], UUID]) -> RunningTask:
    work = task.workload
    if work is None:
        return RunningTask(since=task.since)
    job = jobs.get((work.dag_id, work.run_id))
    return RunningTask(
        job=job,
        job_type=work.dag_id if job else None,
        dag_id=work.dag_id,
        run_id=work.run_id,
        task=work.task_id,
        map_index=work.map_index,
        attempt=work.attempt,
        since=task.since,
    )
