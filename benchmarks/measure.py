"""What is said about a list of measured times."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

_BEGAN = time.monotonic()


class GaveUp(Exception):
    """Something did not happen within the time that a benchmark allows for it."""


def say(text: str) -> None:
    """Print a line of progress with the seconds since the start."""
    print(f"[{time.monotonic() - _BEGAN:6.0f} s] {text}", flush=True)


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
