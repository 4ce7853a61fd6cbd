"""Waits for what another program does."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

T = TypeVar("T")


def poll(read: Callable[[], T], done: Callable[[T], bool], timeout: float, interval: float) -> T:
    """Read a state until it is as wanted or the time is up, and return the last one.

    Args:
        read: returns the state; an exception that it raises ends the wait.
        done: says whether the state is as wanted.
        timeout: in seconds.
        interval: seconds between two reads.
    """
    end = monotonic() + timeout
    while True:
        state = read()
        if done(state) or monotonic() > end:
            return state
        sleep(interval)
