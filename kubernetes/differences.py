"""Print in what the overlays differ: `python kubernetes/differences.py`; exit code 1 where that is not declared.

Every difference has to be declared in differences.yaml with its reason, and every declaration has to be of use.
"""

import fnmatch
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
OVERLAYS = ("development", "staging", "production")

# The hash that Kustomize adds to the name of what it generates.
_HASH = re.compile(r"^(settings|pod-template)-[a-z0-9]{10}$")
_ABSENT = "-"
_WIDEST = 40
# In the place of an object that an overlay does not have.
_NOWHERE = "(nowhere)"
# What is left out of paths in the table.
_COMMON = re.compile(r"^(spec|data)\.(template\.spec\.(containers\.coinrequest\.)?)?")


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same everywhere.

    Attributes:
        what: `Kind/name` of an object that is not everywhere, or `Kind/name path.to.a.value`; items of a list are
            called by their names.
        values: what it is in each overlay, as text; `-` where it is not.
    """

    what: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Declaration:
    """Differences that are meant: patterns as of a shell, one of which `what` has to match, and why."""

    what: tuple[str, ...]
    reason: str

    def covers(self, difference: Difference) -> bool:
        """Say whether the difference is one of these."""
        return any(fnmatch.fnmatchcase(difference.what, pattern) for pattern in self.what)


def kubectl() -> str:
    """Return the program, which renders without a cluster.

    Raises:
        FileNotFoundError: it is neither in the project's environment nor on the path.
    """
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        raise FileNotFoundError("kubectl is missing: https://kubernetes.io/docs/tasks/tools/")
    return found


def render(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a folder with a kustomization.yaml."""
    answer = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise ValueError(f"{folder}: {answer.stderr}")
    return [document for document in yaml.safe_load_all(answer.stdout) if document]


def differences(overlays: Mapping[str, list[dict[str, Any]]]) -> list[Difference]:
    """Return all differences between overlays, given by name with their objects."""
    by_key = [
        {f"{document['kind']}/{document['metadata']['name']}": document for document in map(_without_hashes, documents)}
        for documents in overlays.values()
    ]
    keys = sorted(set().union(*by_key))
    found = []
    for key in keys:
        present = [objects.get(key, _NOWHERE) for objects in by_key]
        if _NOWHERE in present:
            found.append(Difference(key, tuple(_ABSENT if value == _NOWHERE else "yes" for value in present)))
        found += _compare(key, present)
    return found


def read_declarations(path: Path = HERE / "differences.yaml") -> list[Declaration]:
    """Return what is declared."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Declaration(tuple(entry["what"]), entry["reason"]) for entry in entries]


def judge(found: list[Difference], declared: list[Declaration]) -> tuple[list[Difference], list[str]]:
    """Return the differences that nobody declared, and the patterns that cover none."""
    undeclared = [difference for difference in found if not any(entry.covers(difference) for entry in declared)]
    unused = [
        pattern
        for entry in declared
        for pattern in entry.what
        if not any(fnmatch.fnmatchcase(difference.what, pattern) for difference in found)
    ]
    return undeclared, unused


def table(found: list[Difference], declared: list[Declaration]) -> str:
    """Return the differences with their values, below the reason for each."""
    rows: list[tuple[str, ...]] = [("", *OVERLAYS)]
    undeclared = judge(found, declared)[0]
    for reason, group in [
        *((entry.reason, [item for item in found if entry.covers(item)]) for entry in declared),
        ("NOT DECLARED", undeclared),
    ]:
        if group:
            rows += [("",), (reason,), *_merged(group)]
    widths = [max(len(row[column]) for row in rows if len(row) > 1) for column in range(len(OVERLAYS))]
    return "\n".join(
        row[0] if len(row) == 1 else "  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in rows
    )


def _merged(group: list[Difference]) -> list[tuple[str, ...]]:
    """Return a row for each difference, one for those of several objects of a kind that are the same."""
    names: dict[tuple[str, ...], list[str]] = {}
    for difference in group:
        key, _, path = difference.what.partition(" ")
        kind, _, name = key.partition("/")
        names.setdefault((kind, path, *map(_short, difference.values)), []).append(name)
    return [
        (f"  {kind} {', '.join(found) if len(found) < 5 else f'({len(found)})'}{_place(path)}", *values)
        for (kind, path, *values), found in names.items()
    ]


def _place(path: str) -> str:
    return f": {_COMMON.sub('', path)}" if path else ""


def _short(value: str) -> str:
    return value if len(value) <= _WIDEST else f"{value[: _WIDEST - 1]}…"


def _without_hashes(value: Any) -> Any:
    """Return an object with the plain names of what Kustomize generated."""
    if isinstance(value, Mapping):
        return {key: _without_hashes(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_hashes(inner) for inner in value]
    return _HASH.sub(r"\1", value) if isinstance(value, str) else value


def _compare(path: str, values: list[Any]) -> list[Difference]:
    """Return where values differ; None is what is not there, and objects that are not there are left out."""
    values = [_by_name(value) for value in values]
    there = [value for value in values if value != _NOWHERE]
    if all(value == there[0] for value in there):
        return []
    if all(isinstance(value, Mapping) for value in there):
        separator = "." if " " in path else " "
        return [
            difference
            for key in sorted(set().union(*there))
            for difference in _compare(
                f"{path}{separator}{key}", [value if value == _NOWHERE else value.get(key) for value in values]
            )
        ]
    return [Difference(path, tuple(_text(value) for value in values))]


def _by_name(value: Any) -> Any:
    """Return the items of a list by their names, or by their places."""
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return {str(item.get("name", place)): item for place, item in enumerate(value)}
    return value


def _text(value: Any) -> str:
    if value is None or value == _NOWHERE:
        return _ABSENT
    return value if isinstance(value, str) else json.dumps(value)


def main() -> int:
    """Print the table; return 1 where a difference is not declared, or a declaration is of no use."""
    found = differences({name: render(HERE / "overlays" / name) for name in OVERLAYS})
    declared = read_declarations()
    undeclared, unused = judge(found, declared)
    sys.stdout.write(table(found, declared) + "\n")
    for pattern in unused:
        sys.stdout.write(f"\nDeclared, but no difference: {pattern}\n")
    return 1 if undeclared or unused else 0


if __name__ == "__main__":
    sys.exit(main())
