"""pydantic's errors about a value that may have several types, as one error of its field.

pydantic reports the errors of every type, and puts the name of the type into the path, as if it were a field.
"""

import types
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Discriminator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from coinrequest.jobtypes.model_paths import inside
from coinrequest.jobtypes.wording import is_about_the_type

Path = tuple[str | int, ...]


class _Placed(NamedTuple):
    """An error, its path without names of types, and the types that lead to it: where each is, and its name."""

    error: ErrorDetails
    path: Path
    types: tuple[tuple[Path, str | int], ...]


def merge_unions(errors: Iterable[ErrorDetails], model: type[BaseModel]) -> list[ErrorDetails]:
    """Return the errors with one for each value that has none of its types, and no name of a type in any path."""
    return _merged([_Placed(error, *_walk(model, error["loc"])) for error in errors])


def _merged(placed: list[_Placed]) -> list[ErrorDetails]:
    groups: dict[object, list[_Placed]] = {}
    for number, one in enumerate(placed):
        groups.setdefault(one.types[0][0] if one.types else number, []).append(one)
    found: list[ErrorDetails] = []
    for group in groups.values():
        first = group[0]
        if not first.types:
            found.append({**first.error, "loc": first.path})
            continue
        at = first.types[0][0]
        by_type: dict[str | int, list[_Placed]] = {}
        for one in group:
            by_type.setdefault(one.types[0][1], []).append(one)
        # A value that has one of the types is wrong within it; the errors of the other types do not matter.
        entered = [of for of in by_type.values() if not any(_is_refusal(one, at) for one in of)]
        if entered:
            found += _merged([one._replace(types=one.types[1:]) for of in entered for one in of])
        else:
            kinds = [one.error["type"] for one in group if _is_refusal(one, at)]
            found.append({**first.error, "loc": at, "type": "union", "ctx": {"kinds": kinds}})
    return found


def _is_refusal(one: _Placed, at: Path) -> bool:
    return one.path == at and is_about_the_type(one.error["type"])


def _walk(model: type[BaseModel], location: Path) -> tuple[Path, tuple[tuple[Path, str | int], ...]]:
    """Return a path without the names of types, and where these were."""
    annotations: list[Any] = [model]
    path: Path = ()
    found: list[tuple[Path, str | int]] = []
    named = False
    for part in location:
        if not named and any(_is_union(annotation) for annotation in annotations):
            found.append((path, part))
            named = True
            continue
        named = False
        path = (*path, part)
        annotations = [inner for annotation in annotations for inner in inside(annotation, part)]
    return path, tuple(found)


def _is_union(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *extras = get_args(annotation)
        chosen = any(
            isinstance(extra, Discriminator) or (isinstance(extra, FieldInfo) and extra.discriminator is not None)
            for extra in extras
        )
        return not chosen and _is_union(inner)
    return (
        origin in {Union, types.UnionType} and len([one for one in get_args(annotation) if one is not type(None)]) > 1
    )
