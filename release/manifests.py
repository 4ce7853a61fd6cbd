"""The objects that Kustomize renders, with the image of the release in them."""

import json
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from release.errors import Refused
from release.image import is_platform


@dataclass(frozen=True)
class Manifests:
    """The objects of one overlay."""

    objects: tuple[dict[str, Any], ...]

    @property
    def namespace(self) -> str:
        """The namespace of the platform; an overlay may have objects in others as well."""
        return str(next(one["metadata"]["namespace"] for one in self.objects if one["kind"] == "Deployment"))

    def names(self, kind: str) -> list[str]:
        """Return the names of all objects of a kind."""
        return [one["metadata"]["name"] for one in self.objects if one["kind"] == kind]

    def of(self, *kinds: str) -> "Manifests":
        """Return the objects of these kinds."""
        return Manifests(tuple(one for one in self.objects if one["kind"] in kinds))

    def without(self, *kinds: str) -> "Manifests":
        """Return the objects of all other kinds."""
        return Manifests(tuple(one for one in self.objects if one["kind"] not in kinds))

    def with_image(self, image: str) -> "Manifests":
        """Return the same objects, but with this image for every `coinrequest`, of whatever registry and tag."""
        copies = deepcopy(self.objects)
        for container in _containers(copies):
            if is_platform(container["image"]):
                container["image"] = image
        return Manifests(copies)

    def text(self) -> str:
        """Return the objects as one List in JSON, which `kubectl` reads."""
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": self.objects})

    def summary(self) -> str:
        """Return how many there are of each kind: `6 Deployment, 1 Job`."""
        counts = Counter(one["kind"] for one in self.objects)
        return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def parse(rendered: str) -> Manifests:
    """Read the output of `kubectl kustomize`.

    Raises:
        Refused: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise Refused("PyYAML is not installed: run this by `make`, or by .venv/bin/python") from None
    return Manifests(tuple(one for one in yaml.safe_load_all(rendered) if one))


def _containers(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from inner if key in ("containers", "initContainers") else _containers(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _containers(inner)
