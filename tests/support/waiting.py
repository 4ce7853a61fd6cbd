"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], *, timeout: float = 30.0, interval: float = 0.1, what: str = "") -> T:
    """Ask `condition` until its answer is true, and return that answer.

    Args:
        condition: an `AssertionError` counts as "not yet", and is shown when the time is over.
        timeout: seconds.
        interval: seconds between two questions.
        what: said when the time is over.
    """
    deadline = time.monotonic() + timeout
    while True:
        reason: AssertionError | None = None
        answer: T | None = None
        try:
            answer = condition()
        except AssertionError as error:
            reason = error
        if reason is None and answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what or reason or answer!r}") from reason
        time.sleep(interval)


def always(condition: Callable[[], bool], *, seconds: float, interval: float = 0.2, what: str = "") -> None:
    """Ask `condition` for some time; it has to stay true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), what or "it did not stay so"
        time.sleep(interval)
