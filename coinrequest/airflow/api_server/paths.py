"""Where a request goes, for what stands around the whole web server; every process imports it with the plugin."""

from collections.abc import MutableMapping
from typing import Any


def route_path(scope: MutableMapping[str, Any]) -> str:
    """Return the path below the installation's own prefix (`[api] base_url`)."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path
