"""The queues that the agents serve, for callers that cannot wait long."""

from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from coinrequest import settings
from coinrequest.airflow.celery_pool import Agent, AgentsUnreachable, uses_agents
from coinrequest.api.models import DefinitionWarning
from coinrequest.api.routes import agents
from coinrequest.jobs.waiting import Agents

# Seconds. A registration takes 0.1 s itself; a dry run may take longer.
REGISTRATION_TIMEOUT = 0.1
DRY_RUN_TIMEOUT = 1.5
# An answer about a job that waits for an agent.
_JOB_TIMEOUT = 0.3


def served_queues(timeout: float) -> frozenset[str] | None:
    """Return the queues that agents serve; None if they are not known, or if the installation has no agents.

    Args:
        timeout: seconds to wait for a new inspection of the agents; after that, the last result is used.
    """
    if not uses_agents():
        return None
    found: Sequence[Agent] | None
    try:
        found = agents.inspection.call().result(timeout)
    except (FutureTimeout, AgentsUnreachable):
        found = agents.inspection.last()
    return None if found is None else frozenset(queue for agent in found for queue in agent.queues)


def known_agents() -> Agents:
    """Return what is known about the agents, almost at once; a new inspection may go on in the background."""
    if not uses_agents():
        return Agents()
    try:
        return Agents(agents.inspection.call().result(_JOB_TIMEOUT))
    except FutureTimeout:
        return Agents(agents.inspection.last())
    except AgentsUnreachable as error:
        return Agents(problem=str(error))


def queue_warnings(document: Mapping[str, Any], timeout: float) -> list[DefinitionWarning]:
    """Return a warning for each task of a definition whose queue no agent serves; none if that is not known.

    Args:
        document: the definition; it may be invalid.
        timeout: see `served_queues`.
    """
    tasks = document.get("tasks")
    named = {
        index: task["queue"]
        for index, task in enumerate(tasks if isinstance(tasks, list) else ())
        if isinstance(task, Mapping) and isinstance(task.get("queue"), str) and task["queue"] != settings.DEFAULT_QUEUE
    }
    served = served_queues(timeout) if named else None
    if served is None:
        return []
    return [
        DefinitionWarning(
            field=f"tasks[{index}].queue",
            message=f"no agent serves the queue {queue!r}; the task waits until one does",
        )
        for index, queue in named.items()
        if queue not in served
    ]
