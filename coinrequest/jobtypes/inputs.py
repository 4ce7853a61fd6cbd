"""Checks of tasks' inputs by the models of their actions, before any job runs.

The values of references are not known yet. A text that is a single reference is replaced by a marker of no valid type,
and errors about it are dropped; a reference inside a longer text makes a text of unknown content. Missing and unknown
fields are found in both cases.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Set
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from coinrequest.actions.base import NO_REFERENCES
from coinrequest.actions.catalogue import UnknownAction, action_names, described, find_action, why_unavailable
from coinrequest.errors import FieldError, field_path
from coinrequest.jobtypes.checks import TaskView
from coinrequest.jobtypes.messages import Path, details_of, field_error
from coinrequest.jobtypes.references import ReferenceInvalid, has_braces, has_references, split
from coinrequest.jobtypes.suggestions import hint, quoted

MAX_SECONDS = 1.0

log = logging.getLogger(__name__)


class _Unknown:
    """The type of the marker of values that are known only when the job runs."""

    def __repr__(self) -> str:
        return "a reference"


_UNKNOWN = _Unknown()
_STRUCTURE = {"missing", "extra_forbidden"}


def check_inputs(tasks: list[TaskView]) -> Iterator[FieldError]:
    """Yield the errors of tasks' actions and of the inputs that the tasks pass to them."""
    end = time.thread_time() + MAX_SECONDS
    for task in tasks:
        if time.thread_time() > end:
            # Whatever the models of actions do, other requests must not wait for it.
            yield FieldError("tasks", f"take more than {MAX_SECONDS} s of processor time to check; use fewer of them")
            return
        if task.action is None:
            continue
        try:
            action = find_action(task.action)
        except UnknownAction:
            message = (
                f"there is no action {quoted(task.action)}{hint(task.action, action_names(), 'none is installed')}"
            )
            yield FieldError(field_path((*task.path, "action")), message)
        except Exception as error:
            log.exception("Cannot load the action %s", task.action)
            message = (
                f"action {quoted(task.action)} is installed but cannot be loaded ({described(error)}); "
                "an administrator has to repair its package"
            )
            yield FieldError(field_path((*task.path, "action")), message)
        else:
            reason = why_unavailable(action)
            if reason is not None:
                yield FieldError(field_path((*task.path, "action")), reason)
            if task.inputs is not None:
                yield from _check(task.inputs, action.Inputs, (*task.path, "inputs"))


def _check(inputs: Mapping[str, object], model: type[BaseModel], prefix: Path) -> Iterator[FieldError]:
    opened: set[int] = set()
    _find_open(inputs, opened)
    for name in _written_out(model):
        if _is_open(inputs.get(name), opened):
            yield FieldError(field_path((*prefix, name)), "cannot contain references; pass values in another input")
    marked = _marked(inputs)
    try:
        model.model_validate(marked)
    except ValidationError as error:
        for detail in details_of(error, model):
            value, open_form = _value_at(detail, inputs, opened)
            if open_form:
                continue
            if detail["type"] in _STRUCTURE or not _is_open(value, opened):
                yield field_error(detail, model, prefix)
            elif isinstance(value, str) and _is_certainly_text(value) and detail["type"].endswith("_type"):
                found = field_error({**detail, "input": _UNKNOWN}, model, prefix)
                yield FieldError(found.field, f"{found.message}; text around a reference makes it text")
    except Exception as error:
        # The action's own validators may fail on a marker; without one, the action is at fault.
        if not _is_open(inputs, opened):
            log.exception("The inputs model %s failed", model.__qualname__)
            message = f"the action cannot check these inputs ({described(error)}); this is an error of its package"
            yield FieldError(field_path(prefix), message)


def _written_out(model: type[BaseModel]) -> Iterator[str]:
    """Yield the inputs that are marked with `coinrequest.actions.base.NO_REFERENCES`."""
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, Mapping) and NO_REFERENCES.items() <= extra.items():
            yield field.alias or name


def _marked(value: object) -> Any:
    if isinstance(value, str):
        if not has_braces(value):
            return value
        parts = split(value)
        if len(parts) == 1 and not isinstance(parts[0], str):
            return _UNKNOWN
        return "".join(part if isinstance(part, str) else "x" for part in parts)
    if isinstance(value, Mapping):
        return {key: _marked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(inner) for inner in value]
    return value


def _find_open(value: object, opened: set[int]) -> bool:
    """Return whether a value contains a reference, so that its final value is not known yet.

    Args:
        value: plain JSON.
        opened: collects the identities of objects and lists that do; thousands of errors look them up.
    """
    if isinstance(value, str):
        return has_references(value)
    if not isinstance(value, Mapping | list | tuple):
        return False
    inside = [_find_open(inner, opened) for inner in (value.values() if isinstance(value, Mapping) else value)]
    if any(inside):
        opened.add(id(value))
    return any(inside)


def _is_open(value: object, opened: Set[int]) -> bool:
    return has_references(value) if isinstance(value, str) else id(value) in opened


def _leads(value: object, part: str | int) -> bool:
    if isinstance(value, list | tuple):
        return isinstance(part, int) and 0 <= part < len(value)
    return isinstance(value, Mapping) and part in value


def _value_at(error: ErrorDetails, inputs: object, opened: Set[int]) -> tuple[object, bool]:
    """Follow an error's path into the inputs.

    Returns:
        The value that the error is about, and whether the path leads into one of several forms of a value with a
        reference: with the reference's value, it may have another form.
    """
    value: object = inputs
    path = error["loc"]
    for position, part in enumerate(path):
        if _leads(value, part):
            value = value[part]  # type: ignore[index]
        elif position == len(path) - 1 and error["type"] in _STRUCTURE:
            break
        elif _is_open(value, opened):
            return value, True
    return value, False


def _is_certainly_text(value: str) -> bool:
    parts = split(value)
    return len(parts) > 1 and not any(isinstance(part, ReferenceInvalid) for part in parts)
