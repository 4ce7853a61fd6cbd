"""How many notices a receiver gets at a time."""

from coinrequest.notices.policy import Policy
from coinrequest.notices.receivers import Receivers

HOOK, OTHER = "https://example.org", "https://example.com"


def silent(receivers: Receivers, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        receivers.begin(HOOK)
        receivers.end(HOOK, now, answered=False)


def test_each_gets_a_few_at_a_time() -> None:
    receivers = Receivers(Policy(per_receiver=2))
    assert receivers.capacity(HOOK, 0) == 2
    receivers.begin(HOOK)
    assert receivers.capacity(HOOK, 0) == 1
    assert receivers.full(0) == []
    receivers.begin(HOOK)
    assert receivers.full(0) == [HOOK]
    assert receivers.capacity(OTHER, 0) == 2
    receivers.end(HOOK, 0, answered=True)
    assert receivers.full(0) == []


def test_one_that_does_not_answer_gets_one_at_a_time_after_growing_pauses() -> None:
    receivers = Receivers(Policy(patience=3))
    silent(receivers, 2)
    assert receivers.capacity(HOOK, 0) == Policy().per_receiver
    silent(receivers, 1)
    assert receivers.full(0.9) == [HOOK]
    assert receivers.capacity(HOOK, 1.0) == 1
    receivers.begin(HOOK)
    assert receivers.capacity(HOOK, 1.0) == 0
    receivers.end(HOOK, 16.0, answered=False)
    assert receivers.capacity(HOOK, 17.9) == 0
    assert receivers.capacity(HOOK, 18.0) == 1
    silent(receivers, 100, now=100.0)
    assert receivers.capacity(HOOK, 129.9) == 0
    assert receivers.capacity(HOOK, 130.0) == 1


def test_its_first_answer_ends_that() -> None:
    receivers = Receivers(Policy())
    silent(receivers, 10)
    receivers.begin(HOOK)
    receivers.end(HOOK, 100, answered=True)
    assert receivers.capacity(HOOK, 100) == Policy().per_receiver
    assert receivers.full(100) == []
