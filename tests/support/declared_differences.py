"""Compares overlays and environments. A `differences.yaml` has to declare every difference, and nothing else."""

import fnmatch
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# The hash that Kustomize adds to the name of what it generates.
_HASH = re.compile(r"^(settings|pod-template)-[a-z0-9]{10}$")
_ABSENT = "-"
# Stands for an object that an overlay does not have.
_NO_OBJECT = "(no object)"


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same everywhere.

    Attributes:
        what: `Kind/name` of an object that some overlays lack, or `Kind/name path.to.a.value`; items of a list are
            called by their names.
        values: the value in each overlay, as text; `-` where there is none.
    """

    what: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Declaration:
    """Intended differences: shell patterns, one of which has to match `what`, and the reason."""

    what: tuple[str, ...]
    reason: str

    def covers(self, difference: Difference) -> bool:
        return any(fnmatch.fnmatchcase(difference.what, pattern) for pattern in self.what)


def read_declarations(path: Path) -> list[Declaration]:
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Declaration(tuple(entry["what"]), entry["reason"]) for entry in entries]


def judge(found: list[Difference], declared: list[Declaration]) -> tuple[list[Difference], list[str]]:
    """Return the undeclared differences, and the patterns that match none."""
    undeclared = [difference for difference in found if not any(entry.covers(difference) for entry in declared)]
    unused = [
        pattern
        for entry in declared
        for pattern in entry.what
        if not any(fnmatch.fnmatchcase(difference.what, pattern) for difference in found)
    ]
    return undeclared, unused


def overlay_differences(overlays: Mapping[str, list[dict[str, Any]]]) -> list[Difference]:
    """Return the differences between overlays, given by name with their objects."""
    by_key = [
        {f"{one['kind']}/{one['metadata']['name']}": one for one in map(_without_hashes, objects)}
        for objects in overlays.values()
    ]
    found = []
    for key in sorted(set().union(*by_key)):
        values = [objects.get(key, _NO_OBJECT) for objects in by_key]
        if _NO_OBJECT in values:
            found.append(Difference(key, tuple(_ABSENT if value == _NO_OBJECT else "yes" for value in values)))
        found += _compare(key, values)
    return found


def _without_hashes(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_hashes(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_hashes(inner) for inner in value]
    return _HASH.sub(r"\1", value) if isinstance(value, str) else value


def _compare(path: str, values: list[Any]) -> list[Difference]:
    """Return where values differ. None is an absent value; absent objects are not compared."""
    values = [_by_name(value) for value in values]
    present = [value for value in values if value != _NO_OBJECT]
    if all(value == present[0] for value in present):
        return []
    if all(isinstance(value, Mapping) for value in present):
        separator = "." if " " in path else " "
        return [
            difference
            for key in sorted(set().union(*present))
            for difference in _compare(
                f"{path}{separator}{key}", [value if value == _NO_OBJECT else value.get(key) for value in values]
            )
        ]
    return [Difference(path, tuple(_text(value) for value in values))]


def _by_name(value: Any) -> Any:
    """Return the items of a list by their names, or by their positions."""
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return {str(item.get("name", position)): item for position, item in enumerate(value)}
    return value


def _text(value: Any) -> str:
    if value is None or value == _NO_OBJECT:
        return _ABSENT
    return value if isinstance(value, str) else json.dumps(value)
