"""Words for an address that there is not, and for a method that an address does not take."""

import re
from collections.abc import Iterator

from fastapi import Request
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from coinrequest.jobtypes.suggestions import nearest

_LONGEST = 300


def methods_of(request: Request) -> list[str]:
    """Return the methods that the address of a request takes."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


def nearest_address(request: Request) -> str | None:
    """Return the address that was probably meant; None: none is similar."""
    path = str(request.scope["path"])
    if len(path) > _LONGEST:
        return None
    root = str(request.scope.get("root_path", ""))
    routes = request.app.routes
    words = _words(routes)
    for tried in _similar(path.removeprefix(root), words):
        if _exists({**request.scope, "path": root + tried}, routes, words):
            return root + tried
    return None


def _exists(scope: Scope, routes: list[BaseRoute], words: set[str]) -> bool:
    """Say whether there is an address, with no fixed part in place of an id: `jobs/retry` is not one."""
    found = (route.matches(scope) for route in routes)
    return any(
        match is not Match.NONE and words.isdisjoint(child.get("path_params", {}).values()) for match, child in found
    )


def _words(routes: list[BaseRoute]) -> set[str]:
    """Return the fixed parts of all addresses."""
    parts = {part for route in routes for part in str(getattr(route, "path", "")).split("/")}
    return {part for part in parts if part and "{" not in part}


def _similar(path: str, words: set[str]) -> Iterator[str]:
    plain = re.sub("/{2,}", "/", "/" + path).rstrip("/")
    yield plain
    yield f"/v1{plain}"
    parts = plain.split("/")
    for index, part in enumerate(parts):
        if part and (word := nearest(part, words)) not in (None, part):
            yield "/".join([*parts[:index], str(word), *parts[index + 1 :]])
            yield "/v1" + "/".join([*parts[:index], str(word), *parts[index + 1 :]])
    # Several at once, such as all in capitals.
    yield "/".join(nearest(part, words) or part if part else part for part in parts)
