"""Samples and what is said about them."""

import json
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

# Before the result of a program of the benchmarks; libraries may have printed lines before it.
RESULT = "\nRESULT "

_BEGAN = time.monotonic()


class GaveUp(Exception):
    """Something did not happen within the time that a benchmark allows for it."""


def say(text: str) -> None:
    """Print a line of progress with the seconds since the start."""
    print(f"[{time.monotonic() - _BEGAN:6.0f} s] {text}", flush=True)


def print_result(result: object) -> None:
    """Print what `benchmarks.processes.run_module` returns to its caller."""
    print(RESULT + json.dumps(result), flush=True)


def cause(trace: object) -> str:
    """Return the line of a traceback that names the exception."""
    lines = str(trace).strip().splitlines()
    named = (line for line in reversed(lines) if re.match(r"[\w.]+(Error|Exception|Timeout)\b", line))
    return next(named, lines[-1])[:300]


def summary(samples: Sequence[float]) -> dict[str, float]:
    """Return count, median, 95th percentile, range and quartiles, in the unit of the samples.

    Percentiles are interpolated between the samples, both ends included.
    """
    if not samples:
        raise GaveUp("nothing was measured")
    ordered = sorted(samples)
    if len(ordered) == 1:
        ordered = ordered * 2
    quartiles = statistics.quantiles(ordered, n=4, method="inclusive")
    described = {
        "median": statistics.median(ordered),
        "p95": statistics.quantiles(ordered, n=20, method="inclusive")[18],
        "min": ordered[0],
        "max": ordered[-1],
        "q1": quartiles[0],
        "q3": quartiles[2],
    }
    return {"n": len(samples), **{name: round(value, 4) for name, value in described.items()}}


def brief(described: dict[str, float]) -> str:
    """Return a summary in a few words, for the progress."""
    return (
        f"median {described['median']:.3f} s, p95 {described['p95']:.3f} s, "
        f"{described['min']:.3f} to {described['max']:.3f} s, n = {described['n']}"
    )


def repeat(measure: Callable[[], float], samples: int, warm_up: int = 3) -> list[float]:
    """Measure again and again; return the samples, those of the warm-up left out."""
    return [measure() for _ in range(warm_up + samples)][warm_up:]


def in_turn(ways: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Measure each way once in every round, another one first each time; the first round only warms up."""
    names = list(ways)
    found: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            measured = ways[name]()
            if number:
                found[name].append(measured)
    return found


def wait_for(what: str, ask: Callable[[], T | None], timeout: float, interval: float) -> T:
    """Ask every `interval` seconds until the answer is true, and return it.

    Raises:
        GaveUp: not within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise GaveUp(f"{what}: not within {timeout:.0f} s")
        time.sleep(interval)
    return answer
