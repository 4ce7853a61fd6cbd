"""Who is next: bands first, then the type that holds least, and nobody holds everything."""

from collections import Counter
from collections.abc import Mapping

import pytest

from coinrequest.airflow.executor.fair_queue import FairQueue, Holder, may_hold_more

QUEUE = "default"


def queue_of(*tasks: tuple[str, int], share: int = 80) -> FairQueue[str]:
    """A queue with tasks of these types and weights, named `type-0`, `type-1` and so on in their order."""
    fair: FairQueue[str] = FairQueue(share)
    count: Counter[str] = Counter()
    for job_type, weight in tasks:
        fair.add(f"{job_type}-{count[job_type]}", queue=QUEUE, job_type=job_type, weight=weight)
        count[job_type] += 1
    return fair


def taken(fair: FairQueue[str], slots: int, held: Mapping[Holder, int] | None = None, limit: int = 1000) -> list[str]:
    return fair.take({QUEUE: slots}, held or {}, limit, waits=lambda key: True)


@pytest.mark.parametrize(("slots", "most"), [(1, 1), (2, 1), (4, 3), (8, 6), (10, 8), (100, 80), (1000, 800)])
def test_a_lone_type_leaves_a_share_free(slots: int, most: int) -> None:
    assert len(taken(queue_of(*[("greedy", 1)] * 1000), slots)) == most


def test_a_share_of_100_leaves_nothing() -> None:
    assert len(taken(queue_of(*[("greedy", 1)] * 1000, share=100), 8)) == 8


@pytest.mark.parametrize("greedy", [2, 3, 5])
def test_several_greedy_types_together_leave_a_slot_too(greedy: int) -> None:
    fair = queue_of(*[(f"greedy{number}", 1) for number in range(greedy)] * 100)
    held = Counter(key.partition("-")[0] for key in taken(fair, 16))
    assert sum(held.values()) < 16
    assert max(held.values()) - min(held.values()) <= 1
    fair.add("small", queue=QUEUE, job_type="small", weight=1)
    assert "small" in taken(fair, 16, {(QUEUE, name): count for name, count in held.items()})


def test_a_type_that_holds_none_takes_the_last_slot() -> None:
    assert taken(queue_of(("small", 1)), 8, {(QUEUE, "greedy"): 7}) == ["small-0"]
    assert taken(queue_of(("small", 1)), 8, {(QUEUE, "greedy"): 8}) == []


def test_a_higher_band_goes_first_and_types_of_one_band_by_turns() -> None:
    fair = queue_of(("low", 1), ("low", 1), ("low", 1), ("high", 100), ("high", 100), ("mid", 10))
    assert taken(fair, 100, limit=3) == ["high-0", "high-1", "mid-0"]
    fair = queue_of(*[("a", 1)] * 3, *[("b", 1)] * 3, share=100)
    assert sorted(taken(fair, 2)) == ["a-0", "b-0"]


def test_even_a_higher_band_leaves_a_slot_for_others() -> None:
    fair = queue_of(*[("high", 100)] * 50, ("low", 1))
    assert "low-0" in taken(fair, 8)


def test_within_a_type_the_larger_weight_and_then_the_older_goes_first() -> None:
    fair = queue_of(("a", 2), ("a", 5), ("a", 2), ("a", 9))
    assert taken(fair, 100) == ["a-3", "a-1", "a-0", "a-2"]


def test_a_queue_without_agents_sends_nothing_and_holds_nobody_up() -> None:
    fair = queue_of(*[("greedy", 1)] * 3)
    for number in range(1000):
        fair.add(f"nobody-{number}", queue="nobody", job_type="greedy", weight=1000)
    assert fair.take({QUEUE: 8}, {}, 512, waits=lambda key: True) == ["greedy-0", "greedy-1", "greedy-2"]
    assert fair.queues(lambda key: True) == {"nobody"}


def test_what_waits_no_longer_is_forgotten() -> None:
    fair = queue_of(*[("a", 1)] * 4)
    assert fair.take({QUEUE: 8}, {}, 100, waits=lambda key: key == "a-2") == ["a-2"]
    assert fair.queues(lambda key: True) == set()


def test_no_slot_is_given_that_there_is_not() -> None:
    assert not may_hold_more(held=0, free=0, share=80)
    assert taken(queue_of(*[("a", 1)] * 4), 2, {(QUEUE, "b"): 5}) == []
