"""How upstream tasks have ended, for a task that runs even if they failed (Airflow 3.3.2)."""

from collections.abc import Iterable
from typing import Any

from coinrequest.airflow.helper_tasks import items_id
from coinrequest.airflow.task_reports import FAILURE

SUCCESS, FAILED, NOT_RUN = "success", "failed", "not run"


def ending(instance: Any, task: str) -> dict[str, Any]:
    """Return the `state` of an upstream task, and its `error`: the reason that it, or its first failed item, stored.

    Args:
        instance: the task that runs, as Airflow's task context has it (`ti`).
    """
    ids = [task, items_id(task)] if instance.task.dag.get_task(task).is_mapped else [task]
    found = instance.get_task_states(dag_id=instance.dag_id, task_ids=ids, run_ids=[instance.run_id])
    state = _state([str(state) for states in found.values() for state in states.values()])
    return {"state": state, "error": _error(instance, ids) if state == FAILED else None}


def _state(states: Iterable[str]) -> str:
    every = set(states)
    if "failed" in every:
        return FAILED
    # Airflow skips a mapped task without items.
    return SUCCESS if every <= {"success", "skipped"} else NOT_RUN


def _error(instance: Any, ids: Iterable[str]) -> str | None:
    for task in ids:
        if not _exists(instance, task):
            continue
        stored = instance.xcom_pull(task_ids=task, key=FAILURE)
        entries = [stored] if isinstance(stored, dict) or stored is None else stored
        for entry in entries:
            if isinstance(entry, dict) and entry.get("text"):
                return str(entry["text"])
    return None


def _exists(instance: Any, task: str) -> bool:
    return task in instance.task.dag.task_dict
