"""The workload that Airflow's scheduler sends to an agent (Airflow 3.3.2, Celery provider 3.26.0).

The only argument of the Celery task `execute_workload` is `airflow.executors.workloads.ExecuteTask` as JSON text. It
also holds the task's token, so only the fields named here are passed on.
`tests/integration/airflow/test_workload.py` fails when Airflow's form changes.
"""

import json
from dataclasses import dataclass
from typing import Any

CELERY_TASK = "execute_workload"


@dataclass(frozen=True)
class Workload:
    """One attempt of one task; `map_index` is the item of a mapped task."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int | None
    attempt: int
    priority_weight: int


def read_workload(args: Any) -> Workload | None:
    """Return the task that the arguments of a message name; None if they name none, or are unreadable."""
    try:
        task = json.loads(args[0])["ti"]
        map_index = task.get("map_index")
        return Workload(
            dag_id=str(task["dag_id"]),
            run_id=str(task["run_id"]),
            task_id=str(task["task_id"]),
            map_index=None if map_index is None or int(map_index) < 0 else int(map_index),
            attempt=int(task["try_number"]),
            priority_weight=int(task["priority_weight"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        return None
