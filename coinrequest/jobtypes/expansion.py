"""How many tasks a job may become: a task with `for_each` is done once for each item."""

from collections.abc import Iterator, Mapping
from typing import Any

from coinrequest.errors import FieldError
from coinrequest.jobtypes.grammar import Definition, Task
from coinrequest.jobtypes.references import Reference, split
from coinrequest.limits import MAX_ITEMS

# The scheduler looks at every task of a job again and again, and each is a row with a log.
MAX_JOB_TASKS = 5_000


def items_limit(definition: Definition) -> int:
    """Return how many items a task may have whose `for_each` is a reference; 0: there is no room for any.

    What the tasks with a known number leave of the job's limit is shared evenly.
    """
    known = sum(len(task.for_each) if isinstance(task.for_each, list) else 1 for task in definition.tasks)
    mapped = sum(isinstance(task.for_each, str) for task in definition.tasks)
    # Each of them is one already, which finds out the items.
    return min(MAX_ITEMS, max(0, MAX_JOB_TASKS - known) // mapped) if mapped else MAX_ITEMS


def definition_errors(definition: Definition) -> Iterator[FieldError]:
    """Yield the error of a definition whose jobs are too many tasks whatever their params."""
    known = sum(len(task.for_each) if isinstance(task.for_each, list) else 1 for task in definition.tasks)
    if known > MAX_JOB_TASKS or items_limit(definition) == 0:
        yield FieldError(
            "tasks",
            f"a job is at most {MAX_JOB_TASKS:,} tasks, each item of a for_each counted, and this one is {known:,}; "
            "give the tasks fewer items, or make several types of it",
        )


def params_errors(definition: Definition, params: Mapping[str, Any]) -> Iterator[FieldError]:
    """Yield an error for each param that is a list of items, and too long for its task."""
    limit = items_limit(definition)
    for task in definition.tasks:
        reference = _param(task)
        items: Any = params
        for name in reference.path if reference else ():
            items = items.get(name) if isinstance(items, Mapping) else None
        if reference and isinstance(items, list) and len(items) > limit:
            yield FieldError(
                ".".join(("params", *reference.path)),
                f"has {len(items):,} items for task {task.id!r}; it takes at most {limit:,}",
            )


def _param(task: Task) -> Reference | None:
    """Return the param that a task's items are, where they are one."""
    parts = split(task.for_each) if isinstance(task.for_each, str) else ()
    found = [part for part in parts if isinstance(part, Reference)]
    return found[0] if len(found) == 1 and found[0].root == "params" and found[0].path else None
