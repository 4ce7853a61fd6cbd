"""Paths in pydantic's errors, followed through the annotations of models."""

import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag


def is_tag(part: str | int) -> bool:
    """Return whether a part of pydantic's path is the tag of one of several forms, rather than a field."""
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def members(annotation: Any) -> list[Any]:
    """Return the types in an annotation, without `Annotated` and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return [inner for member in get_args(annotation) for inner in members(member)]
    return [annotation]


def inside(annotation: Any, part: str | int) -> list[Any]:
    """Return the annotations of what a part of a path leads to."""
    if is_tag(part):
        return _tagged(annotation, str(part))
    found = []
    for candidate in members(annotation):
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
