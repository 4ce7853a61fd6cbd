"""Compares the results with the goals of `goals.yaml`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from benchmarks.bench_phases import agrees, difference

Found = Mapping[str, Any]

_TABLE = Path(__file__).with_name("goals.yaml")
# Measured with fewer, a figure proves nothing.
_FULL_SIZE = {"types": 10_000, "jobs": 1_000_000}


@dataclass(frozen=True)
class Row:
    """One line of the summary."""

    figure: str
    goal: str
    measured: str = "not measured"
    verdict: str = ""


def rows(benchmarks: Mapping[str, Found]) -> list[Row]:
    """Return the summary; a quick run reaches no goal."""
    results = _name_sizes(benchmarks)
    compared = [*(_compare(goal, results) for goal in yaml.safe_load(_TABLE.read_text())), _phases(benchmarks)]
    if any(found.get("quick") for found in benchmarks.values()):
        return [Row(row.figure, row.goal, row.measured, "quick run" if row.verdict else "") for row in compared]
    return compared


def _compare(goal: Found, results: Found) -> Row:
    sign, number, unit = goal["goal"].split(" ", 2)
    at_least, limit = sign == "≥", float(number)
    values = list(_read(results, goal["value"]))
    against, size = (next(_read(results, goal[name]), None) if name in goal else 1 for name in ("against", "size"))
    if not values or not against or not size:
        return Row(goal["figure"], goal["goal"])
    value = (min if at_least else max)(values)
    figure = value / against / (1024 if unit == "GiB" else 1)  # the results have MiB
    measured = f"**{figure:.3g} {unit}**" + (f" ({value:.3g} and {against:.3g})" if "against" in goal else "")
    verdict = "met" if (figure >= limit if at_least else figure <= limit) else "**not met**"
    if "size" in goal:
        counted = goal["size"].rpartition("/")[2]
        measured += f" with {size:,} {counted}"
        if size < _FULL_SIZE[counted]:
            verdict = f"not measured with {_FULL_SIZE[counted]:,} {counted}"
    return Row(goal["figure"], goal["goal"], measured, verdict)


def _read(found: Any, path: str | list[str]) -> Iterator[float]:
    """Yield the values at a path, or at several."""
    if isinstance(path, list):
        for one in path:
            yield from _read(found, one)
        return
    step, _, rest = path.partition("/")
    for name in found if isinstance(found, Mapping) else ():
        if fnmatchcase(name, step):
            yield from _read(found[name], rest) if rest else (found[name],)


def _name_sizes(benchmarks: Mapping[str, Found]) -> Found:
    """Return the results with two more names for sizes of the registry, `smallest` (if there are two) and `largest`."""
    sizes = benchmarks.get("register", {}).get("sizes", {})
    if not sizes:
        return benchmarks
    *fewer, most = sorted(sizes, key=int)
    named = {**sizes, "largest": {**sizes[most], "types": int(most)}}
    if fewer:
        named["smallest"] = sizes[fewer[0]]
    return {**benchmarks, "register": {"sizes": named}}


def _phases(benchmarks: Mapping[str, Found]) -> Row:
    """Compare each phase of each server with what curl says; the row shows the largest difference."""
    figure, goal = "phases of a URL test against `curl -w`, each of their medians", "within 10 % or 2 ms"
    targets = benchmarks.get("phases", {}).get("targets", {})
    compared = [(target, phase, measured) for target, found in targets.items() for phase, measured in found.items()]
    if not compared:
        return Row(figure, goal)
    target, phase, measured = max(compared, key=lambda one: abs(difference(one[2])))
    largest = f"**{1000 * difference(measured):+.1f} ms** at most ({phase}: {target})"
    return Row(figure, goal, largest, "met" if all(agrees(one[2]) for one in compared) else "**not met**")
