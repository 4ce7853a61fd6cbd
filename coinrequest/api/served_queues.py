"""Which queues the agents serve, for answers that do not wait long for it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as NotInTime
from typing import Any

from coinrequest import settings
from coinrequest.airflow.celery_pool import Agent, AgentsUnreachable, uses_agents
from coinrequest.api.models import DefinitionWarning
from coinrequest.api.routes import agents

# Seconds. A registration takes a tenth of one; whoever asks what would be stored has more time.
REGISTRATION = 0.1
DRY_RUN = 1.5


def served_queues(patience: float) -> frozenset[str] | None:
    """Return the queues of which an agent takes tasks; None: it is not known, or there are to be no agents.

    Args:
        patience: for how many seconds a new answer is waited for, before an older one is taken.
    """
    if not uses_agents():
        return None
    found: Sequence[Agent] | None
    try:
        found = agents.look().call().result(patience)
    except (NotInTime, AgentsUnreachable):
        found = agents.look().last()
    return None if found is None else frozenset(queue for agent in found for queue in agent.queues)


def warnings_about(document: Mapping[str, Any], patience: float) -> list[DefinitionWarning]:
    """Return a warning for each task of a definition that no agent would take now; none where that is not known.

    Args:
        document: the definition, which may be wrong.
        patience: as for `served_queues`.
    """
    tasks = document.get("tasks")
    named = {
        index: task["queue"]
        for index, task in enumerate(tasks if isinstance(tasks, list) else ())
        if isinstance(task, Mapping) and isinstance(task.get("queue"), str) and task["queue"] != settings.DEFAULT_QUEUE
    }
    served = served_queues(patience) if named else None
    if served is None:
        return []
    return [
        DefinitionWarning(
            field=f"tasks[{index}].queue",
            message=f"no agent takes tasks of the queue {queue!r} now; the task waits until one is started for it",
        )
        for index, queue in named.items()
        if queue not in served
    ]
