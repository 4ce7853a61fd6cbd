"""Checks all components at the same time, each with a time limit, so that one that hangs does not delay the report."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from sqlalchemy import func, select, text

from coinrequest import settings
from coinrequest.actions.catalogue import action_names
from coinrequest.airflow import backlog, heartbeats
from coinrequest.airflow.celery_pool import AgentsUnreachable, Report, airflow_pool, broker_url
from coinrequest.api.authentication import new_session
from coinrequest.api.models import Component, HealthReport
from coinrequest.api.served_queues import served_queues
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.checks import task_views
from coinrequest.metrics.snapshot import GATEWAY_SEEN_WITHIN
from coinrequest.single_flight import SingleFlight

TIME_LIMIT = 1.0
# Seconds: long enough for a restart of the database.
MESSAGES_MAY_WAIT = 10.0
# Seconds: a dag-processor refreshes its files every five, but takes longer after thousands of registrations.
_REFRESH_MAY_TAKE = 120.0
# Seconds that a task may wait for an agent, which may be restarting.
_TASKS_MAY_WAIT = 15.0
# The most agents or queues that a detail names.
_MAX_NAMES = 5
# The most job types that are searched for an action that agents lack.
_MAX_TYPES = 100
# The key that the check of the broker writes; no queue can have this name.
_PROBE_KEY = "coinrequest:health"


async def check() -> HealthReport:
    """Return the state of the database, Airflow's processes, the broker, the agents, the queues and the gateways.

    All callers within a second share one report, and none of them occupies a thread.
    """
    return await asyncio.shield(asyncio.wrap_future(_report.call()))


def _check_all() -> HealthReport:
    deadline = time.monotonic() + TIME_LIMIT
    results = {check: _checks[check].call() for check in _checks}
    components: dict[str, Component] = {}
    for check, result in results.items():
        for name, component in _in_time(check, result, deadline).items():
            # The check of the agents may report the broker too.
            if name not in components or components[name].status == "healthy":
                components[name] = component
    healthy = all(component.status == "healthy" for component in components.values())
    return HealthReport(status="healthy" if healthy else "degraded", components=components)


def _in_time(
    check: Callable[[], Mapping[str, Component]], result: Future[Mapping[str, Component]], deadline: float
) -> Mapping[str, Component]:
    """Return the result of a check; one that takes too long counts as failed, and continues in its thread."""
    name = check.__name__.strip("_")
    try:
        return result.result(max(deadline - time.monotonic(), 0.0))
    except TimeoutError:
        return {name: Component(status="unhealthy", detail=f"no answer within {TIME_LIMIT:g} s")}
    except Exception as error:
        return {name: Component(status="unhealthy", detail=type(error).__name__)}


def _database() -> Mapping[str, Component]:
    with new_session() as session:
        session.execute(text("SELECT 1"))
    return {"database": Component(status="healthy")}


def _processes() -> Mapping[str, Component]:
    components = {}
    for name, process in heartbeats.processes().items():
        components[name] = Component(
            status="healthy" if process.is_healthy else "unhealthy",
            detail=None if process.is_healthy else f"last heartbeat: {process.latest or 'never'}",
        )
    if components["dag_processor"].status == "healthy":
        with new_session() as session:
            age = heartbeats.refresh_age(session)
        if age > _REFRESH_MAY_TAKE:
            components["dag_processor"] = Component(
                status="unhealthy",
                detail=f"it has not refreshed the files of the job types for {age:.0f} s; see its log. "
                "New job types run nevertheless",
            )
    return components


def _broker() -> Mapping[str, Component]:
    """Write a key to the broker if it is Redis: one that answers but refuses to write takes no tasks."""
    url = broker_url()
    if url is None or not url.startswith(("redis://", "rediss://", "redis+socket://")):
        return {}
    import redis

    # Celery's spelling of a socket, and of a database on it.
    url = url.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
    with contextlib.closing(
        redis.Redis.from_url(url, socket_timeout=TIME_LIMIT / 2, socket_connect_timeout=TIME_LIMIT / 2)
    ) as client:
        try:
            client.set(_PROBE_KEY, 1, px=1000)
        except redis.exceptions.NoPermissionError:
            # The account may write only Celery's keys.
            client.ping()
        except redis.ResponseError as error:
            return {"broker": Component(status="unhealthy", detail=f"it refuses to write, so tasks wait: {error}")}
    return {"broker": Component(status="healthy")}


def _inspect_agents() -> Mapping[str, str]:
    """Return what is wrong with agents, by name."""
    reports = airflow_pool(TIME_LIMIT / 2).reports()
    problems = {name: f"takes no tasks: {report.trouble}" for name, report in reports.items() if report.trouble}
    return {**_without_actions(reports), **problems}


def _without_actions(reports: Mapping[str, Report]) -> Mapping[str, str]:
    """Return which agents lack an action that a registered job type sends them; during a rollout, none does so far."""
    told = {name: report for name, report in reports.items() if report.actions is not None}
    missing = {action for action in action_names() if any(action not in (one.actions or ()) for one in told.values())}
    problems: dict[str, str] = {}
    for action in sorted(missing)[:_MAX_NAMES]:
        queues = _queues_of(action)
        for name, report in told.items():
            if action not in (report.actions or ()) and queues.intersection(report.queues):
                # Without the names of the types: not every user may see all of them.
                problems[name] = f"has no action {action!r}, which registered job types use; install its package there"
    return problems


def _queues_of(action: str) -> set[str]:
    """Return the queues in which registered job types use an action."""
    with new_session() as session:
        found = registry.live_with(session, json.dumps(action), limit=_MAX_TYPES)
    queues: set[str] = set()
    for revision in found:
        with contextlib.suppress(TypeError, ValueError):
            tasks = task_views(revision.content())
            queues |= {task.queue or settings.DEFAULT_QUEUE for task in tasks if task.action == action}
    return queues


_agent_problems = SingleFlight(_inspect_agents, keep=5.0, name="agents' health")


def _agents() -> Mapping[str, Component]:
    """Ask the agents, if there is a broker, whether they take tasks. It is not a problem if there are none."""
    if broker_url() is None:
        return {}
    try:
        problems = _agent_problems.call().result(TIME_LIMIT * 0.9)
    except TimeoutError:
        return {}
    except AgentsUnreachable as error:
        return {"broker": Component(status="unhealthy", detail=str(error))}
    if not problems:
        return {}
    listed = "; ".join(f"{name} {problem}" for name, problem in sorted(problems.items())[:_MAX_NAMES])
    more = f"; and {len(problems) - _MAX_NAMES} more" if len(problems) > _MAX_NAMES else ""
    return {"agents": Component(status="unhealthy", detail=listed + more)}


def _queues() -> Mapping[str, Component]:
    """Find tasks that wait for a queue that no agent serves. The agents are inspected only if tasks wait."""
    with new_session() as session:
        waiting = backlog.waiting_for(session, _TASKS_MAY_WAIT)
    served = served_queues(TIME_LIMIT / 2) if waiting else None
    if served is None:
        return {}
    unserved = {queue: tasks for queue, tasks in waiting.items() if queue not in served}
    if not unserved:
        return {"queues": Component(status="healthy")}
    named = ", ".join(f"{tasks} for {queue!r}" for queue, tasks in list(unserved.items())[:_MAX_NAMES])
    more = f" and {len(unserved) - _MAX_NAMES} more queues" if len(unserved) > _MAX_NAMES else ""
    remedy = "start an agent with --queues, or cancel their jobs"
    detail = f"tasks wait for queues that no agent serves: {named}{more}; {remedy}"
    return {"queues": Component(status="unhealthy", detail=detail)}


def _gateway() -> Mapping[str, Component]:
    """Check that a gateway runs, and that each one reaches its broker and stores its messages in time."""
    from coinrequest.database.tables import gateway

    with new_session() as session:
        age = func.extract("epoch", func.now() - gateway.c.seen_at)
        waited = func.extract("epoch", func.now() - gateway.c.waiting_since)
        columns = (gateway.c.channel, gateway.c.detail, gateway.c.waiting, waited.label("waited"), age.label("age"))
        found = session.execute(select(*columns).order_by("age")).all()
    running = [row for row in found if row.age <= GATEWAY_SEEN_WITHIN]
    if not running:
        last = f"the last one was seen {found[0].age:.0f} s ago" if found else "none has ever been seen"
        return _unhealthy_gateway(
            f"no gateway runs ({last}): notices and messages wait until `coinrequest gateway` is started"
        )
    disconnected = [row for row in running if row.channel == "disconnected"]
    if disconnected:
        return _unhealthy_gateway(
            f"{len(disconnected)} of {len(running)} running cannot reach the channel's broker: "
            f"{disconnected[0].detail or 'it has told no reason'}"
        )
    late = [row for row in running if row.waiting and row.waited > MESSAGES_MAY_WAIT]
    if late:
        longest = max(late, key=lambda row: float(row.waited))
        return _unhealthy_gateway(
            f"{sum(row.waiting for row in late)} messages of the channel wait for the database, the oldest for "
            f"{longest.waited:.0f} s: {longest.detail or 'it has told no reason'}"
        )
    return {"gateway": Component(status="healthy", detail=f"{len(running)} running, channel: {running[0].channel}")}


def _unhealthy_gateway(detail: str) -> Mapping[str, Component]:
    return {"gateway": Component(status="unhealthy", detail=detail)}


# A check that hangs is not started a second time.
_checks = {
    check: SingleFlight(check, keep=0, name=f"health: {check.__name__.strip('_')}")
    for check in (_database, _processes, _broker, _agents, _queues, _gateway)
}
_report = SingleFlight(_check_all, keep=1.0, name="health")
