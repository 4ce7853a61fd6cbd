"""The path of a request, for the middlewares. Every process imports this with the plugin, so it imports little."""

from collections.abc import MutableMapping
from typing import Any


def route_path(scope: MutableMapping[str, Any]) -> str:
    """Return the path without the prefix of the installation (`[api] base_url`)."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path
