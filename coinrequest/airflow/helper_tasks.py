"""The tasks of a DAG that are not in its definition: they help one that is, and are shown as that one, or not at all.

Ids of tasks in definitions have no dot.
"""

END = "job.end"
ITEMS = ".items"


def items_id(task: str) -> str:
    """Return the id of the helper that resolves the items of a mapped task."""
    return task + ITEMS


def is_helper(task_id: str) -> bool:
    """Return whether a task is not in the definition."""
    return "." in task_id


def shown_task(task_id: str) -> str | None:
    """Return the task of the definition that a task is shown as; None if it is not shown."""
    if task_id == END:
        return None
    return task_id.removesuffix(ITEMS)
