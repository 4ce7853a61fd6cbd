"""pydantic's errors as errors of fields, in plain words."""

import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from coinrequest.errors import FieldError, field_path
from coinrequest.jobtypes.grammar import PATTERNS_IN_WORDS
from coinrequest.jobtypes.suggestions import hint, nearest, quoted

Path = tuple[str | int, ...]

_KINDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "an object with fields",
    "mapping": "an object with fields",
    "model": "an object with fields",
    "model_attributes": "an object with fields",
    "none": "null",
    "url": "a URL",
}
_BOUNDS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
    "multiple_of": ("multiple_of", "must be a multiple of"),
}


def is_tag(part: str | int) -> bool:
    """Return whether a part of pydantic's path is the tag of one of several forms, rather than a field."""
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def details_of(error: ValidationError) -> list[ErrorDetails]:
    """Return pydantic's errors without those that only result from others.

    pydantic counts the valid entries of a list, so an invalid entry may also make the list too short.
    """
    return [
        detail
        for detail in error.errors(include_url=False)
        if detail["type"] != "too_short" or len(detail["input"]) < detail["ctx"]["min_length"]
    ]


def field_error(error: ErrorDetails, model: type[BaseModel], prefix: Path = ()) -> FieldError:
    """Return one of pydantic's errors as the error of a field.

    Args:
        error: from `ValidationError.errors()`.
        model: the model, from which a similar field is suggested.
        prefix: the path of the validated value in the document.
    """
    *before, last = error["loc"] or ("",)
    inside: Path = tuple(part for part in before if not is_tag(part))
    if error["type"] == "extra_forbidden" or not is_tag(last):
        inside = (*inside, last)
    if inside == ("",):
        inside = ()
    return FieldError(field_path((*prefix, *inside)), _message(error, model))


def _message(error: ErrorDetails, model: type[BaseModel]) -> str:
    kind = error["type"]
    context: Mapping[str, Any] = error.get("ctx") or {}
    value = error["input"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return _unknown_field(error["loc"], model)
    if kind == "definition":
        return str(context["message"])
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        return f"must be {PATTERNS_IN_WORDS.get(pattern, f'text that matches {pattern}')}"
    if kind == "literal_error":
        return f"must be {context['expected']}{_nearest_literal(value, str(context['expected']))}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"{words} {context[key]}"
    if kind in {"too_short", "too_long", "string_too_short", "string_too_long"}:
        return _length(kind, context)
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    base = kind.removesuffix("_type").removesuffix("_parsing").removesuffix("_from_float")
    if base in _KINDS and base != kind:
        return f"must be {_KINDS[base]}" + _instead(base, value)
    return str(error["msg"])[:1].lower() + str(error["msg"])[1:]


def _instead(base: str, value: object) -> str:
    if base == "string" and isinstance(value, bool | int | float):
        return "; put it in quotes"
    if base in {"int", "float", "bool"} and isinstance(value, str):
        return f", not the text {quoted(value)}"
    if value is None:
        return ", not null"
    return ""


def _nearest_literal(value: object, expected: str) -> str:
    match = nearest(value, expected.split("'")[1::2]) if isinstance(value, str) else None
    return f"; did you mean {match!r}?" if match else ""


def _length(kind: str, context: Mapping[str, Any]) -> str:
    unit = "characters" if kind.startswith("string") else "entries"
    if kind.endswith("short"):
        least = context["min_length"]
        return "must not be empty" if least == 1 else f"needs at least {least} {unit}"
    actual = context.get("actual_length")
    has = f"has {actual} {unit}; " if actual is not None else ""
    return f"{has}the limit is {context['max_length']} {unit}"


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
        annotations = [inner for annotation in annotations for inner in _inner(annotation, part)]
    return {
        field.alias or name
        for annotation in annotations
        for candidate in _flatten(annotation)
        if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        for name, field in candidate.model_fields.items()
    }


def _flatten(annotation: Any) -> list[Any]:
    """Return the types in an annotation, without `Annotated` and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _flatten(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return [inner for member in get_args(annotation) for inner in _flatten(member)]
    return [annotation]


def _inner(annotation: Any, part: str | int) -> list[Any]:
    if is_tag(part):
        return _tagged(annotation, str(part))
    found = []
    for candidate in _flatten(annotation):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            for name, field in candidate.model_fields.items():
                if part in {name, field.alias}:
                    found.append(field.rebuild_annotation())
        elif arguments := [argument for argument in get_args(candidate) if argument is not ...]:
            found.append(arguments[-1])
    return found


def _tagged(annotation: Any, tag: str) -> list[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        if any(isinstance(extra, Tag) and extra.tag == tag for extra in arguments[1:]):
            return [arguments[0]]
        return _tagged(arguments[0], tag)
    if origin in {Union, types.UnionType}:
        return [inner for member in arguments for inner in _tagged(member, tag)]
    return []
