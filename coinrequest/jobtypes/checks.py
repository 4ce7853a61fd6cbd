"""Checks across a whole definition: names that must exist, order, references, schedule.

The checks read the document as it was sent, and skip parts of the wrong shape, so that their errors are reported
together with those of the grammar.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from coinrequest import queues
from coinrequest.errors import FieldError, field_path
from coinrequest.jobtypes.grammar import MAX_CRON, MAX_TASKS
from coinrequest.jobtypes.graph import cycles, succeeded_before, upstream
from coinrequest.jobtypes.references import Occurrence, Reference, scan
from coinrequest.jobtypes.suggestions import hint, quoted


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task of a document that may be invalid; parts of the wrong shape are left out."""

    index: int
    id: str | None
    action: str | None
    inputs: Mapping[str, object] | None
    for_each: object
    queue: str | None
    depends_on: tuple[tuple[int, str], ...]
    always: bool = False

    @property
    def path(self) -> tuple[str | int, ...]:
        """The path of the task in the document."""
        return ("tasks", self.index)


def task_views(document: Mapping[str, object]) -> list[TaskView]:
    """Return the readable tasks of a document."""
    tasks = document.get("tasks")
    views = []
    # The grammar reports excess tasks; the cost of the checks grows faster than their number.
    for index, task in enumerate(tasks[:MAX_TASKS] if isinstance(tasks, list | tuple) else ()):
        if not isinstance(task, Mapping):
            continue
        inputs = task.get("inputs", {})
        depends_on = task.get("depends_on")
        names = enumerate(depends_on if isinstance(depends_on, list | tuple) else ())
        views.append(
            TaskView(
                index=index,
                id=_text(task.get("id")),
                action=_text(task.get("action")),
                inputs=inputs if isinstance(inputs, Mapping) else None,
                for_each=task.get("for_each"),
                queue=_text(task.get("queue")),
                depends_on=tuple((position, name) for position, name in names if isinstance(name, str)),
                always=task.get("when") == "always",
            )
        )
    return views


def check_document(document: Mapping[str, object]) -> Iterator[FieldError]:
    """Yield all errors that are not those of the grammar, of actions' inputs or of the params schema."""
    tasks = task_views(document)
    yield from _check_schedule(document)
    yield from _check_default_texts(document.get("params"), ("params",))
    yield from _check_ids(tasks)
    yield from _check_graph(tasks)
    yield from _check_references(tasks, document.get("params"))
    yield from _check_result(document.get("result"), tasks)
    yield from _check_queues(tasks)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _check_schedule(document: Mapping[str, object]) -> Iterator[FieldError]:
    schedule = document.get("schedule")
    if not isinstance(schedule, Mapping):
        return
    cron, zone, after = (schedule.get(key) for key in ("cron", "timezone", "after"))
    # Imported here because a task process never checks a schedule.
    from coinrequest.jobtypes.schedule import CronInvalid, check_cron
    from coinrequest.jobtypes.time_zones import TimeZoneUnknown, find_time_zone

    if isinstance(cron, str) and 0 < len(cron) <= MAX_CRON:
        try:
            check_cron(cron)
        except CronInvalid as error:
            yield FieldError("schedule.cron", str(error))
    if isinstance(zone, str) and zone:
        try:
            find_time_zone(zone)
        except TimeZoneUnknown as error:
            yield FieldError("schedule.timezone", str(error))
    for position, name in enumerate(after if isinstance(after, list | tuple) else ()):
        if name == document.get("name"):
            yield FieldError(f"schedule.after[{position}]", "a type cannot run after itself")


def _check_default_texts(schema: object, path: tuple[str | int, ...]) -> Iterator[FieldError]:
    """Yield references in defaults, which are plain data: a reader would expect them to be replaced."""
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            here = (*path, str(key))
            if key == "default":
                for found in scan(value, here):
                    yield FieldError(field_path(found.path), "a default is plain data and cannot contain references")
            else:
                yield from _check_default_texts(value, here)
    elif isinstance(schema, list | tuple):
        for index, value in enumerate(schema):
            yield from _check_default_texts(value, (*path, index))


def _check_ids(tasks: list[TaskView]) -> Iterator[FieldError]:
    first: dict[str, int] = {}
    for task in tasks:
        if task.id is None:
            continue
        if task.id in first:
            yield FieldError(
                field_path((*task.path, "id")), f"{quoted(task.id)} is already the id of tasks[{first[task.id]}]"
            )
        first.setdefault(task.id, task.index)


def _check_queues(tasks: list[TaskView]) -> Iterator[FieldError]:
    for task in tasks:
        if task.queue is not None and (refusal := queues.refusal(task.queue)):
            yield FieldError(field_path((*task.path, "queue")), refusal)


def _edges(tasks: list[TaskView]) -> dict[str, list[str]]:
    edges: dict[str, list[str]] = {}
    for task in tasks:
        if task.id is not None:
            edges.setdefault(task.id, []).extend(name for _, name in task.depends_on)
    return edges


def _check_graph(tasks: list[TaskView]) -> Iterator[FieldError]:
    ids = {task.id for task in tasks if task.id is not None}
    for task in tasks:
        for position, name in task.depends_on:
            if name not in ids:
                yield FieldError(
                    field_path((*task.path, "depends_on", position)),
                    f"there is no task {quoted(name)}{hint(name, ids)}",
                )
    if len(tasks) > MAX_TASKS:
        return  # The grammar reports it; the cost of the following grows faster than the number of tasks.
    index = {task.id: task.index for task in reversed(tasks)}
    for cycle in cycles(_edges(tasks)):
        path = " → ".join([*cycle, cycle[0]])
        text = f"a task cannot depend on itself: {path}" if len(cycle) == 1 else f"the tasks form a cycle: {path}"
        yield FieldError(f"tasks[{index[cycle[0]]}].depends_on", text)


def _check_references(tasks: list[TaskView], params: object) -> Iterator[FieldError]:
    before = upstream(_edges(tasks)) if len(tasks) <= MAX_TASKS else None
    always = {task.id for task in tasks if task.always and task.id is not None}
    succeeded = succeeded_before(_edges(tasks), always) if before is not None and always else None
    ids = {task.id for task in tasks if task.id is not None}
    for task in tasks:
        places: list[tuple[object, str]] = [(task.for_each, "for_each")]
        if task.inputs is not None:
            places.append((task.inputs, "inputs"))
        for value, place in places:
            for found in scan(value, (*task.path, place)):
                problem = _reference_problem(found, task, place, params, ids, before)
                if not problem and succeeded is not None:
                    problem = _null_problem(found, task, succeeded)
                if problem:
                    yield FieldError(field_path(found.path), problem)


def _reference_problem(
    found: Occurrence,
    task: TaskView,
    place: str,
    params: object,
    ids: set[str],
    before: Mapping[str, frozenset[str]] | None,
) -> str:
    reference = found.reference
    if reference is None:
        return found.problem
    if reference.root == "item":
        if place == "for_each":
            return "for_each gives the items, so it cannot refer to item"
        return "" if task.for_each is not None else "item exists only in a task with for_each"
    if reference.root == "params":
        return _param_problem(reference, params)
    if reference.task is None:
        return ""
    if reference.task not in ids:
        return f"there is no task {quoted(reference.task)}{hint(reference.task, ids)}"
    if reference.task == task.id:
        return "a task cannot use its own output"
    if before is not None and task.id is not None and reference.task not in before[task.id]:
        return (
            f"task {quoted(reference.task)} may not have ended when this task runs; "
            f"add {quoted(reference.task)} to its depends_on"
        )
    return ""


def _null_problem(found: Occurrence, task: TaskView, succeeded: Mapping[str, frozenset[str]]) -> str:
    """Return the error of a reference into an output that is null if its task has failed, or an empty text."""
    reference = found.reference
    if reference is None or reference.task is None or not reference.path or task.id is None:
        return ""
    if reference.task in succeeded[task.id]:
        return ""
    name = reference.task
    return (
        f"task {quoted(name)} may have failed when this task runs, and its output is null then; "
        f"use tasks.{name}.output as a whole, tasks.{name}.state or tasks.{name}.error"
    )


def _param_problem(reference: Reference, schema: object) -> str:
    """Return the error of a reference to a property that the params schema does not declare, or an empty text."""
    if schema is None:
        return "the type declares no params" if reference.path else ""
    at = "params"
    for segment in reference.path:
        if not isinstance(schema, Mapping):
            return ""
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        if segment in properties:
            schema = properties[segment]
            at = f"{at}.{segment}"
            continue
        open_ended = {"$ref", "allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentSchemas"} & schema.keys()
        closed = schema.get("additionalProperties") is False
        if not open_ended and (closed or properties):
            return f"{at} declares no property {quoted(segment)}{hint(segment, properties, 'it declares none')}"
        return ""
    return ""


def _check_result(result: object, tasks: list[TaskView]) -> Iterator[FieldError]:
    ids = {task.id for task in tasks if task.id is not None}
    if isinstance(result, str) and result not in ids:
        yield FieldError("result", f"there is no task {quoted(result)}{hint(result, ids)}")
