"""Periodic work continues after errors, and logs an error once."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support.waiting import eventually

from coinrequest.backoff import Backoff
from coinrequest.gateway.periodic import Periodic
from coinrequest.gateway.status import ChannelStatus


@contextmanager
def running(work: Callable[[], bool], seconds: float = 60.0) -> Iterator[Periodic]:
    stop, periodic = threading.Event(), Periodic("count", work, seconds)
    thread = threading.Thread(target=periodic.run, args=(stop,))
    thread.start()
    try:
        yield periodic
    finally:
        stop.set()
        periodic.wake()
        thread.join(10)
        assert not thread.is_alive()


def test_work_starts_at_once_and_when_woken() -> None:
    calls: list[int] = []
    with running(lambda: bool(calls.append(1))) as periodic:
        eventually(lambda: len(calls) == 1, interval=0.01)
        periodic.wake()
        eventually(lambda: len(calls) == 2, interval=0.01)


def test_work_is_repeated_without_a_pause_while_there_is_more() -> None:
    calls: list[int] = []

    def work() -> bool:
        calls.append(1)
        return len(calls) < 5

    with running(work):
        eventually(lambda: len(calls) == 5, interval=0.01)


def test_an_error_and_its_end_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    calls: list[int] = []

    def work() -> bool:
        calls.append(1)
        if len(calls) < 4:
            raise ConnectionError("the database is away")
        return False

    with running(work, seconds=0.1):
        eventually(lambda: len(calls) >= 5)
    assert caplog.text.count("Cannot count; trying again") == 1
    assert caplog.text.count("Can count again") == 1


def test_the_backoff_is_limited_and_is_reset_by_a_success() -> None:
    backoff = Backoff(first=1.0, longest=8.0)
    waits = [backoff.next() for _ in range(6)]
    for wait, bound in zip(waits, (1, 2, 4, 8, 8, 8), strict=True):
        assert bound / 2 <= wait <= bound
    backoff.reset()
    assert backoff.next() <= 1.0


def test_each_change_of_the_channel_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert ChannelStatus(configured=False).state() == ("none", None)
    status = ChannelStatus(configured=True)
    assert status.state()[0] == "disconnected"
    for _ in range(3):
        status.set_disconnected("refused")
    assert status.state() == ("disconnected", "refused")
    status.set_connected("redis://host")
    assert status.state() == ("connected", None)
    status.set_disconnected("closed")
    assert caplog.text.count("is disconnected") == 2
    assert caplog.text.count("is connected") == 1
