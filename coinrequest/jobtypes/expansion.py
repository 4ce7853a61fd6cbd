"""Limits on the number of tasks of a job: a task with `for_each` runs once for each item."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coinrequest.errors import FieldError
from coinrequest.jobtypes.grammar import Definition, Task
from coinrequest.jobtypes.references import Reference, split
from coinrequest.jobtypes.suggestions import counted
from coinrequest.limits import MAX_ITEMS

# The scheduler examines every task of a running job repeatedly, and each task has a row and a log.
MAX_JOB_TASKS = 5_000

_INSIDE_A_LIST = object()


def items_limit(definition: Definition) -> int:
    """Return the largest number of items of a task whose `for_each` is a reference; 0: it can have none.

    Such tasks share evenly what the other tasks leave of the job's limit.
    """
    known = sum(len(task.for_each) if isinstance(task.for_each, list) else 1 for task in definition.tasks)
    mapped = sum(isinstance(task.for_each, str) for task in definition.tasks)
    # Each of them already counts as one, the task that resolves the items.
    return min(MAX_ITEMS, max(0, MAX_JOB_TASKS - known) // mapped) if mapped else MAX_ITEMS


def definition_errors(definition: Definition) -> Iterator[FieldError]:
    """Yield the errors of a definition whose jobs have too many tasks, or are scheduled without the items of one."""
    known = sum(len(task.for_each) if isinstance(task.for_each, list) else 1 for task in definition.tasks)
    if known > MAX_JOB_TASKS or items_limit(definition) == 0:
        yield FieldError(
            "tasks",
            f"a job may have at most {MAX_JOB_TASKS:,} tasks, counting each item of a for_each, and this one has "
            f"{known:,}; use fewer items, or split it into several types",
        )
    if definition.schedule is not None and definition.params is not None:
        from coinrequest.jobtypes.params import SchemaRoot, with_defaults

        defaults = with_defaults(definition.params, {}, SchemaRoot(definition.params))
        for error in params_errors(definition, defaults):
            yield FieldError("params", f"a scheduled job gets only the defaults: {error}")


def params_errors(definition: Definition, params: Mapping[str, Any]) -> Iterator[FieldError]:
    """Yield an error for each param that should give a task its items, but is no list, or too long."""
    limit = items_limit(definition)
    for task in definition.tasks:
        reference = _param(task)
        if reference is None:
            continue
        field = ".".join(("params", *reference.path))
        items = _value(params, reference.path)
        if not isinstance(items, list):
            if items is not _INSIDE_A_LIST:
                yield FieldError(field, f"must be a list, because task {task.id!r} runs for each of its items")
        elif len(items) > limit:
            yield FieldError(
                field, f"has {counted(len(items), 'item')} for task {task.id!r}; it takes at most {limit:,}"
            )


def _value(params: Mapping[str, Any], path: Sequence[str]) -> Any:
    """Return what a reference finds, null if it finds nothing, or a mark if that is known only when it is resolved."""
    found: Any = params
    for name in path:
        if isinstance(found, list):
            return _INSIDE_A_LIST
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _param(task: Task) -> Reference | None:
    """Return the param that gives a task its items, if one does."""
    parts = split(task.for_each) if isinstance(task.for_each, str) else ()
    found = [part for part in parts if isinstance(part, Reference)]
    return found[0] if len(found) == 1 and found[0].root == "params" and found[0].path else None
