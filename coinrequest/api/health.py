"""Looks at every component at once, each with a time limit, so that the answer comes when one of them hangs."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from sqlalchemy import func, select, text

from coinrequest.airflow import backlog, heartbeats
from coinrequest.airflow.celery_pool import AgentsUnreachable, airflow_pool, broker_url
from coinrequest.api.authentication import new_session
from coinrequest.api.models import Component, HealthReport
from coinrequest.api.served_queues import served_queues
from coinrequest.metrics.snapshot import GATEWAY_SEEN_WITHIN
from coinrequest.single_flight import SingleFlight

TIME_LIMIT = 1.0
# Seconds. The database may be started anew meanwhile without a report.
MESSAGES_MAY_WAIT = 10.0
# Seconds: a dag-processor does it every five, and is busy for longer when thousands of types are new.
_MAY_NOT_FOLLOW = 120.0
# Seconds that a task may wait before it is asked whether anybody could take it: an agent may be restarting.
_WAITS = 15.0
# So many agents or queues are named.
_NAMED = 5
# What is written into the broker, under a name that no queue can have.
_WRITTEN = "coinrequest:health"


async def check() -> HealthReport:
    """Return the state of the database, Airflow's processes, the broker, the agents, the queues and the gateways.

    All who ask within a second share a look: however many they are, none waits for a thread, and the parts are asked
    once.
    """
    return await asyncio.shield(asyncio.wrap_future(_report.call()))


def _look() -> HealthReport:
    deadline = time.monotonic() + TIME_LIMIT
    answers = {look: _looks[look].call() for look in _looks}
    components: dict[str, Component] = {}
    for look, answer in answers.items():
        for name, component in _in_time(look, answer, deadline).items():
            # The agents may tell of the broker too.
            if name not in components or components[name].status == "healthy":
                components[name] = component
    healthy = all(component.status == "healthy" for component in components.values())
    return HealthReport(status="healthy" if healthy else "degraded", components=components)


def _in_time(
    look: Callable[[], Mapping[str, Component]], answer: Future[Mapping[str, Component]], deadline: float
) -> Mapping[str, Component]:
    """Return what a look saw; one that takes too long goes on in its thread, and counts as failed."""
    name = look.__name__.strip("_")
    try:
        return answer.result(max(deadline - time.monotonic(), 0.0))
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
        if age > _MAY_NOT_FOLLOW:
            components["dag_processor"] = Component(
                status="unhealthy",
                detail=f"it has not brought its files up to the job types for {age:.0f} s; its log says why. "
                "New types run all the same",
            )
    return components


def _broker() -> Mapping[str, Component]:
    """Let the broker write something, if it is Redis: one that only answers takes no tasks."""
    url = broker_url()
    if url is None or not url.startswith(("redis://", "rediss://", "redis+socket://")):
        return {}
    import redis

    # Celery's name for a socket, and for a database behind one.
    url = url.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
    with contextlib.closing(
        redis.Redis.from_url(url, socket_timeout=TIME_LIMIT / 2, socket_connect_timeout=TIME_LIMIT / 2)
    ) as client:
        try:
            client.set(_WRITTEN, 1, px=1000)
        except redis.exceptions.NoPermissionError:
            # An account that may write nothing but Celery's keys.
            client.ping()
        except redis.ResponseError as error:
            return {"broker": Component(status="unhealthy", detail=f"it refuses to write, so tasks wait: {error}")}
    return {"broker": Component(status="healthy")}


def _look_at_agents() -> Mapping[str, str]:
    return airflow_pool(TIME_LIMIT / 2).troubles()


_troubles = SingleFlight(_look_at_agents, keep=5.0, name="agents' health")


def _agents() -> Mapping[str, Component]:
    """Ask the agents, if there is a broker, whether they take tasks; that none is there is no trouble."""
    if broker_url() is None:
        return {}
    try:
        troubles = _troubles.call().result(TIME_LIMIT * 0.9)
    except TimeoutError:
        return {}
    except AgentsUnreachable as error:
        return {"broker": Component(status="unhealthy", detail=str(error))}
    if not troubles:
        return {}
    said = "; ".join(f"{name} takes no tasks: {reason}" for name, reason in sorted(troubles.items())[:_NAMED])
    more = f"; and {len(troubles) - _NAMED} more" if len(troubles) > _NAMED else ""
    return {"agents": Component(status="unhealthy", detail=said + more)}


def _queues() -> Mapping[str, Component]:
    """Look for tasks that wait for a queue of which no agent takes any; the agents are only asked where some wait."""
    with new_session() as session:
        waiting = backlog.waiting_for(session, _WAITS)
    served = served_queues(TIME_LIMIT / 2) if waiting else None
    if served is None:
        return {}
    unserved = {queue: tasks for queue, tasks in waiting.items() if queue not in served}
    if not unserved:
        return {"queues": Component(status="healthy")}
    named = ", ".join(f"{tasks} for {queue!r}" for queue, tasks in list(unserved.items())[:_NAMED])
    more = f" and {len(unserved) - _NAMED} queues more" if len(unserved) > _NAMED else ""
    remedy = "start an agent with --queues for it, or cancel their jobs"
    return {"queues": Component(status="unhealthy", detail=f"tasks wait that no agent takes: {named}{more}; {remedy}")}


def _gateway() -> Mapping[str, Component]:
    """Look up which gateways reported themselves lately; one is enough, but each must get its messages on."""
    from coinrequest.database.tables import gateway

    with new_session() as session:
        age = func.extract("epoch", func.now() - gateway.c.seen_at)
        waited = func.extract("epoch", func.now() - gateway.c.waiting_since)
        columns = (gateway.c.channel, gateway.c.detail, gateway.c.waiting, waited.label("waited"), age.label("age"))
        found = session.execute(select(*columns).order_by("age")).all()
    running = [row for row in found if row.age <= GATEWAY_SEEN_WITHIN]
    if not running:
        last = f"the last one was seen {found[0].age:.0f} s ago" if found else "none has ever been seen"
        return _gateway_ill(
            f"no gateway runs ({last}): notices and messages wait until `coinrequest gateway` is started"
        )
    away = [row for row in running if row.channel == "disconnected"]
    if away:
        return _gateway_ill(
            f"{len(away)} of {len(running)} running cannot reach the channel's broker: "
            f"{away[0].detail or 'see the log of the gateway'}"
        )
    late = [row for row in running if row.waiting and row.waited > MESSAGES_MAY_WAIT]
    if late:
        longest = max(late, key=lambda row: float(row.waited))
        return _gateway_ill(
            f"{sum(row.waiting for row in late)} messages of the channel wait for the database, the oldest for "
            f"{longest.waited:.0f} s: {longest.detail or 'see the log of the gateway'}"
        )
    return {"gateway": Component(status="healthy", detail=f"{len(running)} running, channel: {running[0].channel}")}


def _gateway_ill(detail: str) -> Mapping[str, Component]:
    return {"gateway": Component(status="unhealthy", detail=detail)}


# A look that hangs is not begun again beside itself.
_looks = {
    look: SingleFlight(look, keep=0, name=f"health: {look.__name__.strip('_')}")
    for look in (_database, _processes, _broker, _agents, _queues, _gateway)
}
_report = SingleFlight(_look, keep=1.0, name="health")
