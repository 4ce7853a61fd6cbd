from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coinrequest.actions import integer_wait
from coinrequest.actions.context import ActionContext
from coinrequest.actions.integer_wait import LONGEST_WAIT_SECONDS, IntegerWait, IntegerWaitInputs


class Clock:
    """Stands for the module `time`; each sleep takes a little longer or, where a signal ends it, shorter."""

    def __init__(self, lateness: float) -> None:
        self.now = 1000.0
        self.sleeps = 0
        self._lateness = lateness

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.sleeps += 1
        self.now += max(seconds + self._lateness, 0.5 * seconds, 1e-6)


class Reports(ActionContext):
    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def report(self, done: float, total: float | None = None, message: str = "") -> None:
        self.seen.append((done, total, message))


def wait(seconds: int, lateness: float = 0.0) -> tuple[Clock, Reports]:
    clock, reports = Clock(lateness), Reports()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(integer_wait, "time", clock)
        result = IntegerWait(reports).run(IntegerWaitInputs.model_validate({"value": seconds}))
    assert result.model_dump(mode="json") == {"value": seconds, "message": "job complete"}
    return clock, reports


def test_it_waits_for_the_seconds_and_logs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="coinrequest.actions.integer_wait"):
        clock, _reports = wait(3)
    assert clock.now == 1003
    assert [record.getMessage() for record in caplog.records] == [
        "took the job: wait 3 s",
        "working",
        "job complete after 3 s",
    ]


@given(st.integers(min_value=0, max_value=LONGEST_WAIT_SECONDS), st.sampled_from([0.0, 0.003, 0.9, -0.4]))
def test_it_never_waits_less_and_wakes_a_hundred_times_at_most(seconds: int, lateness: float) -> None:
    clock, reports = wait(seconds, lateness)
    assert clock.now - 1000 >= seconds
    assert len(reports.seen) == min(seconds, 100)
    if lateness >= 0:
        assert clock.sleeps <= 100


def test_it_reports_every_second_of_a_short_wait() -> None:
    _clock, reports = wait(3, 0.01)
    assert reports.seen == [(0, 3, "seconds"), (1, 3, "seconds"), (2, 3, "seconds")]


def test_it_reports_every_hundredth_of_a_long_wait() -> None:
    _clock, reports = wait(LONGEST_WAIT_SECONDS)
    assert [done for done, _total, _message in reports.seen] == list(range(0, LONGEST_WAIT_SECONDS, 864))


def test_a_wait_of_zero_seconds_reports_nothing() -> None:
    clock, reports = wait(0)
    assert (clock.sleeps, reports.seen) == (0, [])


@pytest.mark.parametrize("value", [-1, 86_401, 1.5, "3", True, None])
def test_invalid_numbers_of_seconds_are_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        IntegerWaitInputs.model_validate({"value": value})
