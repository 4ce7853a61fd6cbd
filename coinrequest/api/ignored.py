"""Refuses what a route would ignore: unknown or repeated parameters, misspelt headers, a body that it does not read.

A caller who misspells `dry_run` must not register a job type. What a route takes is what it declares to FastAPI.
"""

import difflib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import get_origin

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.utils import get_flat_dependant, get_parameterless_sub_dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from coinrequest.errors import FieldError, FieldErrors
from coinrequest.jobtypes.suggestions import hint, quoted

# The similarity from which a header is a misspelling rather than another one: `If-None-Match` is 0.78 like `If-Match`.
_MISSPELT = 0.85
# What clients send where they have nothing to send.
_EMPTY_BODIES = (b"", b"{}", b"null")
_LONGEST_EMPTY_BODY = 64


class Ignored(FieldErrors):
    """The request has parts that the route would ignore."""


@dataclass(frozen=True)
class _Declared:
    """What a route declares; `single` are the query parameters that take one value."""

    query: frozenset[str]
    single: frozenset[str]
    headers: frozenset[str]
    body: bool


def install(app: FastAPI, lenient: Collection[BaseRoute]) -> None:
    """Let every route of `app` refuse what it would ignore, except those whose paths are among `lenient`."""
    paths = {getattr(route, "path", None) for route in lenient}
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path not in paths:
            check = get_parameterless_sub_dependant(depends=Depends(_refuse_ignored), path=route.path_format)
            # After those that check the user: 401 and 403 come first.
            route.dependant.dependencies.append(check)


async def _refuse_ignored(request: Request) -> None:
    """Check a request.

    Raises:
        Ignored: the route would ignore parts of it; it names them all.
    """
    declared = _declared(request.scope["route"])
    errors = [*_parameters(request, declared), *_headers(request, declared)]
    if not declared.body and await _has_body(request):
        errors.append(FieldError("", "this route takes no body; leave it out"))
    if errors:
        raise Ignored(errors)


def _declared(route: APIRoute) -> _Declared:
    found = get_flat_dependant(route.dependant)
    single = (field.alias for field in found.query_params if get_origin(field.field_info.annotation) is not list)
    return _Declared(
        query=frozenset(field.alias for field in found.query_params),
        single=frozenset(single),
        headers=frozenset(field.alias for field in found.header_params),
        body="requestBody" in (route.openapi_extra or {}),
    )


def _parameters(request: Request, declared: _Declared) -> Iterator[FieldError]:
    given = request.query_params.multi_items()
    for name, count in Counter(name for name, _ in given).items():
        if name not in declared.query:
            unknown = f"there is no parameter {quoted(name)}"
            yield FieldError(name[:60], unknown + hint(name, declared.query, "this route takes none"))
        elif count > 1 and name in declared.single:
            yield FieldError(name, f"is given {count} times; it takes one value")
        elif any(name == other and not value for other, value in given):
            yield FieldError(name, "has no value; give it one, or leave the parameter out")


def _headers(request: Request, declared: _Declared) -> Iterator[FieldError]:
    known = {_letters(name): name for name in declared.headers}
    for name in request.headers:
        if name.lower() in {header.lower() for header in declared.headers}:
            continue
        word = _letters(name)
        for letters, header in known.items():
            if difflib.SequenceMatcher(None, word, letters).ratio() >= _MISSPELT:
                yield FieldError(name, f"there is no header {quoted(name)}; did you mean {header!r}?")
    if "if-match" in request.headers and "ifmatch" not in known and request.method not in ("GET", "HEAD"):
        yield FieldError("If-Match", "this route does not compare revisions; leave the header out")


def _letters(header: str) -> str:
    return "".join(filter(str.isalnum, header[:60])).lower().removeprefix("x")


async def _has_body(request: Request) -> bool:
    if "transfer-encoding" not in request.headers and request.headers.get("content-length", "0") == "0":
        return False
    body = b""
    async for chunk in request.stream():
        body = (body + chunk).strip()
        if len(body) > _LONGEST_EMPTY_BODY:
            break
    return body not in _EMPTY_BODIES
