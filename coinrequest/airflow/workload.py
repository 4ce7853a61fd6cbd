"""What Airflow's scheduler sends to an agent, as far as it matters here (Airflow 3.3.2, Celery provider 3.26.0).

The only argument of the Celery task `execute_workload` is `airflow.executors.workloads.ExecuteTask` as JSON text. It
also holds the task's token, so nothing of it is passed on but what is named here.
`tests/integration/airflow/test_workload.py` fails when Airflow's form changes.
"""

import json
from dataclasses import dataclass
from typing import Any

CELERY_TASK = "execute_workload"


@dataclass(frozen=True)
class Workload:
    """One try of one task; `map_index` says which item of a mapped task."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int | None
    attempt: int
    priority_weight: int


def read_workload(args: Any) -> Workload | None:
    """Return the task that a message's arguments name; None: they are of another kind, or unreadable."""
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
