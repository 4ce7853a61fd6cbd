"""Many callers share one call."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from coinrequest.single_flight import SingleFlight


def test_callers_at_the_same_time_share_one_call() -> None:
    calls, go_on = [], threading.Event()

    def slow() -> int:
        calls.append(1)
        assert go_on.wait(10)
        return len(calls)

    shared = SingleFlight(slow, keep=60, name="test")
    with ThreadPoolExecutor(10) as callers:
        answers = [callers.submit(lambda: shared.call().result(10)) for _ in range(10)]
        go_on.set()
        assert [answer.result(10) for answer in answers] == [1] * 10


def test_a_result_is_reused_while_it_is_fresh() -> None:
    calls: list[int] = []

    def slow() -> int:
        calls.append(1)
        return len(calls)

    kept = SingleFlight(slow, keep=60, name="test")
    assert [kept.call().result(10) for _ in range(3)] == [1, 1, 1]
    calls.clear()
    stale = SingleFlight(slow, keep=0, name="test")
    assert [stale.call().result(10) for _ in range(3)] == [1, 2, 3]


def test_an_error_reaches_all_callers_and_is_not_kept() -> None:
    answers = iter([RuntimeError("away"), "here"])

    def slow() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shared = SingleFlight(slow, keep=0, name="test")
    with pytest.raises(RuntimeError, match="away"):
        shared.call().result(10)
    assert shared.call().result(10) == "here"
