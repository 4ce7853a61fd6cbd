"""Many callers, one look."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from coinrequest.single_flight import SharedLook


def test_callers_at_the_same_time_share_one_look() -> None:
    looks, go_on = [], threading.Event()

    def look() -> int:
        looks.append(1)
        assert go_on.wait(10)
        return len(looks)

    shared = SharedLook(look, keep=60, name="test")
    with ThreadPoolExecutor(10) as callers:
        answers = [callers.submit(lambda: shared.answer().result(10)) for _ in range(10)]
        go_on.set()
        assert [answer.result(10) for answer in answers] == [1] * 10


def test_an_answer_is_given_again_while_it_is_fresh() -> None:
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        return len(looks)

    kept = SharedLook(look, keep=60, name="test")
    assert [kept.answer().result(10) for _ in range(3)] == [1, 1, 1]
    looks.clear()
    stale = SharedLook(look, keep=0, name="test")
    assert [stale.answer().result(10) for _ in range(3)] == [1, 2, 3]


def test_a_failure_is_told_to_all_and_not_for_ever() -> None:
    answers = iter([RuntimeError("away"), "here"])

    def look() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shared = SharedLook(look, keep=0, name="test")
    with pytest.raises(RuntimeError, match="away"):
        shared.answer().result(10)
    assert shared.answer().result(10) == "here"
