"""The place of a task in the broker's queue, by its priority.

The scheduler hands every task that may run to the broker at once. Under a backlog only the broker's order decides
which one an idle agent takes next, and Airflow's executor does not tell it the priority; Celery asks this router for
it (https://docs.celeryq.dev/en/stable/userguide/routing.html#routers).
"""

from typing import Any

from coinrequest.airflow.workload import CELERY_TASK, read_workload

# The smallest weight of each band, and its place in Redis, where 0 is served first: the steps into which Celery's
# Redis transport puts the priorities 0 to 9 are these four, each with a list of its own.
BANDS = ((100, 0), (10, 3), (2, 6))
LAST = 9
_HIGHEST = 9


def band(weight: int) -> int:
    """Return the place for a priority weight: 0, 3, 6 or 9; 0 is served first."""
    return next((place for least, place in BANDS if weight >= least), LAST)


def route(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **more: Any) -> dict[str, int] | None:
    """Return Celery's options for a message: its priority and nothing else; None: not a task of Airflow's.

    Never raises: a task whose message cannot be read is served last.
    """
    if name != CELERY_TASK:
        return None
    workload = read_workload(args)
    place = LAST if workload is None else band(workload.priority_weight)
    return {"priority": _HIGHEST - place if _larger_is_first(task) else place}


def _larger_is_first(task: Any) -> bool:
    """Say whether the broker is one that serves the largest priority first: RabbitMQ."""
    try:
        return str(task.app.conf.broker_write_url).startswith(("amqp:", "amqps:", "pyamqp:"))
    except Exception:
        return False
