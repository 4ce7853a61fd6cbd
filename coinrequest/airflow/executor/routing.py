"""Sets the priority of a task's message, which decides its place in the broker's queue (Airflow 3.3.2).

Under a backlog, the broker decides which task an idle agent takes next, and Airflow's executor sets no priority; Celery
asks this router for it (https://docs.celeryq.dev/en/stable/userguide/routing.html#routers).
"""

from typing import Any

from coinrequest.airflow.workload import CELERY_TASK, read_workload

# The smallest weight of each band, and its priority in Redis, where 0 is served first: Celery's Redis transport sorts
# the priorities 0 to 9 into these four steps, each with a list of its own.
BANDS = ((100, 0), (10, 3), (2, 6))
LAST = 9
_HIGHEST = 9


def band(weight: int) -> int:
    """Return the priority for a weight: 0, 3, 6 or 9; 0 is served first."""
    return next((place for least, place in BANDS if weight >= least), LAST)


def route(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **more: Any) -> dict[str, int] | None:
    """Return the priority of a message as Celery's options; None if it is no task of Airflow's.

    It never raises: a task whose message cannot be read is served last.
    """
    if name != CELERY_TASK:
        return None
    workload = read_workload(args)
    place = LAST if workload is None else band(workload.priority_weight)
    return {"priority": _HIGHEST - place if _larger_is_first(task) else place}


def _larger_is_first(task: Any) -> bool:
    """Return whether the broker is RabbitMQ, which serves the largest priority first."""
    try:
        return str(task.app.conf.broker_write_url).startswith(("amqp:", "amqps:", "pyamqp:"))
    except Exception:
        return False
