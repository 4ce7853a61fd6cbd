"""pydantic's errors as errors of fields, in plain words."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from coinrequest.errors import FieldError, field_path
from coinrequest.jobtypes.model_paths import inside, is_tag, members
from coinrequest.jobtypes.suggestions import hint, quoted
from coinrequest.jobtypes.unions import merge_unions
from coinrequest.jobtypes.wording import wording

Path = tuple[str | int, ...]


def details_of(error: ValidationError, model: type[BaseModel] = BaseModel) -> list[ErrorDetails]:
    """Return pydantic's errors without those that only result from others.

    pydantic counts the valid entries of a list, so an invalid entry may also make the list too short. It reports a
    value that may have several types once for each of them.

    Args:
        model: the model that was validated.
    """
    found = [
        detail
        for detail in error.errors(include_url=False)
        if detail["type"] != "too_short" or len(detail["input"]) < detail["ctx"]["min_length"]
    ]
    return merge_unions(found, model)


def field_error(error: ErrorDetails, model: type[BaseModel], prefix: Path = ()) -> FieldError:
    """Return one of pydantic's errors as the error of a field.

    Args:
        error: from `ValidationError.errors()`.
        model: the model, from which a similar field is suggested.
        prefix: the path of the validated value in the document.
    """
    # pydantic ends the path of an error about the name of an entry with this.
    path = error["loc"][:-1] if error["loc"][-1:] == ("[key]",) else error["loc"]
    *before, last = path or ("",)
    within: Path = tuple(part for part in before if not is_tag(part))
    if error["type"] == "extra_forbidden" or not is_tag(last):
        within = (*within, last)
    if within == ("",):
        within = ()
    return FieldError(field_path((*prefix, *within)), _message(error, model))


def _message(error: ErrorDetails, model: type[BaseModel]) -> str:
    kind = error["type"]
    context: Mapping[str, Any] = error.get("ctx") or {}
    if kind == "extra_forbidden":
        return _unknown_field(error["loc"], model)
    if kind == "definition":
        return str(context["message"])
    return wording(kind, context, error["input"], error["msg"])


def _unknown_field(path: tuple[str | int, ...], model: type[BaseModel]) -> str:
    name = str(path[-1])
    known = fields_at(model, path[:-1])
    others = fields_at(model, tuple(part for part in path[:-1] if not is_tag(part)))
    if name in others:
        form = next((part for part in reversed(path[:-1]) if is_tag(part)), "<>")
        return f"cannot be combined with {str(form)[1:-1]!r}"
    return f"there is no field {quoted(name)}{hint(name, known, 'it takes no fields')}"


def fields_at(model: type[BaseModel], path: tuple[str | int, ...]) -> set[str]:
    """Return the names of the fields at a path below a model, of all its forms."""
    annotations: list[Any] = [model]
    for part in path:
        annotations = [inner for annotation in annotations for inner in inside(annotation, part)]
    return {
        field.alias or name
        for annotation in annotations
        for candidate in members(annotation)
        if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        for name, field in candidate.model_fields.items()
    }
