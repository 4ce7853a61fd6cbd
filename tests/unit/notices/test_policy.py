"""When an undelivered notice is attempted again."""

from datetime import UTC, datetime, timedelta

import pytest

from coinrequest.notices.policy import LIFETIME, Policy

NOW = datetime(2030, 1, 31, 8, tzinfo=UTC)
STEADY = Policy(jitter=0.0)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 1), (2, 2), (3, 4), (11, 1024), (12, 2048), (13, 3600), (40, 3600), (10_000, 3600)]
)
def test_delays_double_up_to_an_hour(attempts: int, seconds: int) -> None:
    assert STEADY.next_attempt(attempts, NOW, NOW + LIFETIME, None) == NOW + timedelta(seconds=seconds)


def test_jitter_only_shortens_a_delay() -> None:
    found = {Policy().next_attempt(3, NOW, NOW + LIFETIME, None) - NOW for _ in range(100)}
    assert len(found) > 10
    assert min(found) >= timedelta(seconds=3.2)
    assert max(found) <= timedelta(seconds=4)


def test_the_last_attempt_is_at_the_deadline() -> None:
    deadline = NOW + timedelta(minutes=10)
    assert STEADY.next_attempt(12, NOW, deadline, None) == deadline
    assert STEADY.next_attempt(1, NOW, deadline, NOW + timedelta(days=3)) == deadline


def test_a_receiver_may_ask_for_more_time_and_not_for_less() -> None:
    assert STEADY.next_attempt(1, NOW, NOW + LIFETIME, NOW + timedelta(seconds=90)) == NOW + timedelta(seconds=90)
    assert STEADY.next_attempt(5, NOW, NOW + LIFETIME, NOW) == NOW + timedelta(seconds=16)
