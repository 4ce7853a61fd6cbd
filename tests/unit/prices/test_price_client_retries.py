"""Retries, rate limits and deadlines."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_clock import FakeClock
from support.http_stub import HttpStub, Reply

from coinrequest.prices import rate_limits
from coinrequest.prices.client import BACKOFF, PriceClient
from coinrequest.prices.errors import PriceUnavailable, RateLimited
from coinrequest.prices.sources import SOURCES
from coinrequest.prices.token_bucket import TokenBucket

GOOD = Reply(body=b"[1]")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def asking(clock: FakeClock) -> PriceClient:
    return PriceClient(cache_seconds=0, clock=clock, sleep=clock.sleep, delay=lambda failures: failures / 10)


def limited(seconds: object = None) -> Reply:
    return Reply(429, headers={} if seconds is None else {"Retry-After": str(seconds)})


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_temporary_failures_are_retried(
    http_stub: HttpStub, asking: PriceClient, clock: FakeClock, status: int
) -> None:
    http_stub.replies = [Reply(status, b"<html>"), Reply(status), GOOD]
    assert asking.fetch("somewhere", http_stub.url, {}).document == [1]
    assert len(http_stub.hits) == 3
    assert clock.slept == [0.1, 0.2]


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 418])
def test_other_statuses_are_not_retried(http_stub: HttpStub, asking: PriceClient, status: int) -> None:
    http_stub.replies = [Reply(status, b"{}")]
    assert asking.fetch("somewhere", http_stub.url, {}).status == status
    assert len(http_stub.hits) == 1


def test_there_are_at_most_three_attempts(http_stub: HttpStub, asking: PriceClient) -> None:
    http_stub.replies = [Reply(500)]
    with pytest.raises(PriceUnavailable, match=r"^somewhere: it responded with status 500; tried 3 times$"):
        asking.fetch("somewhere", http_stub.url, {})
    assert len(http_stub.hits) == 3


def test_no_retry_is_made_after_the_deadline(http_stub: HttpStub, clock: FakeClock) -> None:
    http_stub.replies = [Reply(500)]
    asking = PriceClient(clock=clock, sleep=clock.sleep, delay=lambda _failures: 1.5)
    with pytest.raises(PriceUnavailable, match=r"^somewhere: it responded with status 500; tried 2 times$"):
        asking.fetch("somewhere", http_stub.url, {}, timeout=2)
    assert clock.slept == [1.5]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_respected(http_stub: HttpStub, asking: PriceClient, clock: FakeClock, status: int) -> None:
    http_stub.replies = [Reply(status, headers={"Retry-After": "3"}), GOOD]
    assert asking.fetch("somewhere", http_stub.url, {}).document == [1]
    assert clock.slept == [pytest.approx(3.1)]


def test_retry_after_beyond_the_deadline_fails_immediately(
    http_stub: HttpStub, asking: PriceClient, clock: FakeClock
) -> None:
    http_stub.replies = [limited(30)]
    with pytest.raises(RateLimited, match=r"too many requests.*Retry-After: 30 seconds$") as caught:
        asking.fetch("somewhere", http_stub.url, {})
    assert (caught.value.retry_after, clock.slept, len(http_stub.hits)) == (30, [], 1)


def test_retry_after_applies_to_all_callers(http_stub: HttpStub, asking: PriceClient, clock: FakeClock) -> None:
    http_stub.replies = [limited(30), GOOD]
    with pytest.raises(RateLimited):
        asking.fetch("somewhere", http_stub.url, {})
    clock.now += 10
    with pytest.raises(RateLimited, match=r"next request is allowed in 20\.0 seconds") as caught:
        asking.fetch("somewhere", http_stub.url, {"other": "question"})
    assert (caught.value.retry_after, len(http_stub.hits)) == (20, 1)
    clock.now += 15
    assert asking.fetch("somewhere", http_stub.url, {}).document == [1]
    assert clock.slept == [5]


def test_retry_after_does_not_affect_other_hosts(http_stub: HttpStub, asking: PriceClient) -> None:
    http_stub.replies = [limited(30), GOOD]
    with pytest.raises(RateLimited):
        asking.fetch("somewhere", http_stub.url, {})
    elsewhere = http_stub.url.replace("127.0.0.1", "localhost")
    assert asking.fetch("elsewhere", elsewhere, {}).document == [1]


def test_retry_after_may_be_a_date(http_stub: HttpStub, asking: PriceClient) -> None:
    http_stub.replies = [limited(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))]
    with pytest.raises(RateLimited) as caught:
        asking.fetch("somewhere", http_stub.url, {})
    assert caught.value.retry_after == pytest.approx(3600, abs=60)


def test_status_429_without_retry_after_is_rate_limited_too(http_stub: HttpStub, asking: PriceClient) -> None:
    http_stub.replies = [limited()]
    with pytest.raises(RateLimited, match="tried 3 times") as caught:
        asking.fetch("somewhere", http_stub.url, {})
    assert caught.value.retry_after is None


def test_retries_of_a_failing_host_are_limited(
    http_stub: HttpStub, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "UNKNOWN_HOST", rate_limits.RateLimit(1e6, 1e6))
    asking = PriceClient(cache_seconds=0, clock=clock, sleep=clock.sleep, delay=lambda _failures: 0)
    http_stub.replies = [Reply(500)]
    for _ in range(100):
        with pytest.raises(PriceUnavailable):
            asking.fetch("somewhere", http_stub.url, {})
    assert 125 <= len(http_stub.hits) <= 130  # ten retries to begin with, and one for five questions


def test_the_rate_limit_of_a_host_is_respected(http_stub: HttpStub, asking: PriceClient, clock: FakeClock) -> None:
    http_stub.replies = [GOOD]
    for _ in range(25):
        asking.fetch("somewhere", http_stub.url, {})
    assert clock.slept == [pytest.approx(0.1)] * 5
    assert len(http_stub.hits) == 25


def test_each_source_has_its_own_rate_limit() -> None:
    hosts = {urlsplit(source.public_url).hostname for source in SOURCES.values()}
    assert hosts <= set(rate_limits.PUBLISHED)


def test_a_rate_limit_beyond_the_deadline_fails_immediately(
    http_stub: HttpStub, asking: PriceClient, clock: FakeClock
) -> None:
    http_stub.replies = [GOOD]
    for _ in range(20):
        asking.fetch("somewhere", http_stub.url, {})
    with pytest.raises(RateLimited, match="its rate limit is reached") as caught:
        asking.fetch("somewhere", http_stub.url, {}, timeout=0.05)
    assert caught.value.retry_after == pytest.approx(0.1)
    assert len(http_stub.hits) == 20
    assert clock.slept == []


@given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.1, 10), st.integers(1, 10))
def test_a_bucket_never_exceeds_its_rate(pauses: list[float], per_second: float, burst: int) -> None:
    clock = FakeClock()
    bucket = TokenBucket(per_second, burst, clock)
    started = clock.now
    taken = 0
    for pause in pauses:
        clock.now += pause
        taken += bucket.take()
        assert taken <= burst + (clock.now - started) * per_second + 1e-6


def test_a_bucket_reserves_future_tokens() -> None:
    clock = FakeClock()
    bucket = TokenBucket(2, 1, clock)
    assert [bucket.reserve(10) for _ in range(3)] == [0, 0.5, 1]
    assert bucket.reserve(1) == 1.5
    assert bucket.reserve(1.5) == 1.5


def test_delays_are_random_and_grow_up_to_two_seconds() -> None:
    delays = {failures: [BACKOFF.delay(failures) for _ in range(200)] for failures in (1, 2, 10)}
    assert all(0 <= delay <= 2 for tries in delays.values() for delay in tries)
    assert max(delays[1]) <= 0.25 < max(delays[2]) <= 0.5 < max(delays[10])
    assert len(set(delays[1])) > 100
