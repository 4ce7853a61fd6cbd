"""Delays between attempts."""

import pytest

from coinrequest.backoff import Backoff


def test_delays_double_up_to_the_longest() -> None:
    backoff = Backoff(first=1, longest=30, jitter=0)
    assert [backoff.delay(failures) for failures in (0, 1, 2, 3, 5, 6, 10_000)] == [0, 1, 2, 4, 16, 30, 30]


@pytest.mark.parametrize(("jitter", "shortest"), [(0.2, 3.2), (0.5, 2), (1, 0)])
def test_jitter_shortens_a_delay_and_never_makes_it_longer(jitter: float, shortest: float) -> None:
    delays = [Backoff(first=1, longest=30, jitter=jitter).delay(3) for _ in range(200)]
    assert shortest <= min(delays) < max(delays) <= 4
    assert len(set(delays)) > 100


def test_failures_are_counted_until_a_success() -> None:
    backoff = Backoff(first=1, longest=4, jitter=0)
    assert [backoff.next() for _ in range(4)] == [1, 2, 4, 4]
    backoff.reset()
    assert backoff.next() == 1
