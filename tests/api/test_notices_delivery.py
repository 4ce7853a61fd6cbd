"""Delivering notices over a real database to receivers that misbehave."""

import base64
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import notice_support as notices
import pytest
from notice_support import QUICK, Hit, Receiver, Reply, attempts, await_state, dispatching, message_id, owe, receiving
from standardwebhooks.webhooks import Webhook
from support.waiting import always, eventually

from coinrequest.jobs import secrecy

SECRET = "whsec_" + base64.b64encode(b"0123456789" * 3).decode()


@pytest.fixture(autouse=True)
def nothing_owed(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "127.0.0.0/8")
    notices.clear()


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_a_notice_is_delivered_once_with_a_valid_signature(hook: Receiver) -> None:
    owed = owe(f"{hook.url}/hook?x=1", secret=secrecy.encrypt(SECRET))
    with dispatching():
        row = await_state(owed, "delivered")
    (hit,) = hook.hits
    assert hit.path == "/hook?x=1"
    assert Webhook(SECRET).verify(hit.body, hit.headers) == {"type": "job.completed", "data": {"state": "success"}}
    assert hit.headers["webhook-id"] == message_id(owed)
    assert hit.headers["content-type"] == "application/json"
    assert hit.headers["user-agent"].startswith("coinrequest/")
    (attempt,) = attempts(owed)
    assert (attempt.number, attempt.status, attempt.error, attempt.response) == (1, 200, None, "thanks")
    assert 0 < attempt.seconds < 5
    assert row.attempts == 1
    assert row.ended_at is not None


def test_a_notice_without_a_secret_is_not_signed(hook: Receiver) -> None:
    owed = owe(hook.url)
    with dispatching():
        await_state(owed, "delivered")
    assert "webhook-signature" not in hook.hits[0].headers


def test_every_notice_survives_errors_and_silence_of_its_receiver(hook: Receiver) -> None:
    """The receiver answers 500 for a while, then hangs, then answers; another one notices nothing of it."""
    policy, release = replace(QUICK, webhook_seconds=1.5), threading.Event()

    def answer(hit: Hit) -> Reply:
        if len(hook.hits) <= 10:
            return Reply(500, body=b"no")
        return Reply(hold=release) if len(hook.hits) <= 16 else Reply()

    hook.answer = answer
    try:
        with receiving() as other, dispatching(policy) as dispatcher:
            owed = [owe(f"{hook.url}/{n}", secret=secrecy.encrypt(SECRET)) for n in range(6)]
            dispatcher.wake()
            eventually(lambda: len(hook.hits) > 10, interval=0.02)  # it hangs
            for _ in range(3):
                began = time.monotonic()
                quick = owe(other.url)
                dispatcher.wake()
                await_state(quick, "delivered")
                assert time.monotonic() - began < policy.webhook_seconds
            for one in owed:
                await_state(one, "delivered", timeout=30)
    finally:
        release.set()
    for hit in hook.hits:
        Webhook(SECRET).verify(hit.body, hit.headers)
    for one in owed:
        found = attempts(one)
        assert [attempt.number for attempt in found] == list(range(1, len(found) + 1))
        assert [attempt.started_at for attempt in found] == sorted(attempt.started_at for attempt in found)
        assert [attempt.status for attempt in found][-1] == 200
        assert {attempt.status for attempt in found[:-1]} <= {500, None}
        assert len(found) == hook.ids().count(message_id(one))
    silent = [attempt for one in owed for attempt in attempts(one) if attempt.status is None]
    assert silent
    assert all("the time is over" in attempt.error for attempt in silent)


def test_a_silent_receiver_gets_one_notice_at_a_time(hook: Receiver) -> None:
    """Not every one of its notices waits for a time-out of its own."""
    release = threading.Event()
    hook.answer = lambda _: Reply(hold=release)
    policy = replace(QUICK, webhook_seconds=0.2, longest_pause=timedelta(seconds=60), first_delay=timedelta(seconds=60))
    try:
        owed = [owe(hook.url) for _ in range(20)]
        with dispatching(policy) as dispatcher:
            eventually(lambda: sum(len(attempts(one)) for one in owed) >= policy.per_receiver, interval=0.02)
            dispatcher.wake()
            always(lambda: len(hook.hits) <= policy.per_receiver + policy.patience, seconds=0.5)
            assert {notices.notice(one).state for one in owed} == {"pending"}
    finally:
        release.set()


def test_a_receiver_that_is_gone_gets_nothing_more(hook: Receiver) -> None:
    hook.answer = lambda _: Reply(410, body=b"never again")
    owed = owe(hook.url)
    with dispatching():
        await_state(owed, "failed")
    (attempt,) = attempts(owed)
    assert (attempt.status, attempt.response) == (410, "never again")


def test_it_gives_up_at_the_deadline(hook: Receiver) -> None:
    hook.answer = lambda _: Reply(503)
    owed = owe(hook.url, left=timedelta(seconds=2))
    with dispatching():
        row = await_state(owed, "failed")
    assert row.ended_at >= row.give_up_at
    found = attempts(owed)
    assert len(found) >= 3
    assert {attempt.status for attempt in found} == {503}
    assert row.attempts == len(found) == len(hook.hits)


def test_a_notice_that_waited_too_long_is_tried_all_the_same(hook: Receiver) -> None:
    """No gateway ran for days; the notice is owed nevertheless."""
    owed = owe(hook.url, left=timedelta(hours=-1))
    with dispatching():
        await_state(owed, "delivered")


def test_notices_whose_time_is_over_end_with_their_silent_receiver(hook: Receiver) -> None:
    release = threading.Event()
    hook.answer = lambda _: Reply(hold=release)
    policy = replace(QUICK, webhook_seconds=0.2, longest_pause=timedelta(seconds=60))
    try:
        late = [owe(hook.url, left=timedelta(hours=-1)) for _ in range(12)]
        fresh = owe(hook.url)
        with dispatching(policy):
            for one in late:
                await_state(one, "failed")
    finally:
        release.set()
    assert notices.notice(fresh).state == "pending"
    assert len(hook.hits) < len(late)
    assert "not tried" in attempts(late[-1])[-1].error


def test_it_waits_as_long_as_the_receiver_asks(hook: Receiver) -> None:
    hook.answer = lambda _: Reply(429, {"Retry-After": "2"}) if len(hook.hits) == 1 else Reply()
    owed = owe(hook.url)
    with dispatching():
        await_state(owed, "delivered")
    first, second = hook.hits
    assert 1.9 < second.at - first.at < 6


def test_no_wish_goes_beyond_the_deadline(hook: Receiver) -> None:
    hook.answer = lambda _: Reply(503, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"})
    owed = owe(hook.url, left=timedelta(seconds=1.5))
    with dispatching():
        await_state(owed, "failed")
    assert len(attempts(owed)) == 2


def test_a_redirect_is_a_failure(hook: Receiver) -> None:
    with receiving() as other:
        hook.answer = lambda _: Reply(302, {"Location": other.url})
        owed = owe(hook.url, left=timedelta(0))
        with dispatching():
            await_state(owed, "failed")
        assert not other.hits
    (attempt,) = attempts(owed)
    assert attempt.status == 302
    assert "redirect" in attempt.error


def test_only_the_beginning_of_an_answer_is_kept(hook: Receiver) -> None:
    hook.answer = lambda _: Reply(body=b"a\x00b\xff" + b"x" * 100_000)
    owed = owe(hook.url)
    with dispatching():
        await_state(owed, "delivered")
    (attempt,) = attempts(owed)
    assert attempt.response.startswith("a\ufffdb\ufffdx")
    assert len(attempt.response.encode()) < 1100


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://169.254.169.254/latest", "metadata"),
        ("https://10.0.0.1/", "private"),
        ("http://example.org/", "https"),
        ("https://localhost:1/", "loopback"),
    ],
)
def test_a_private_address_is_refused_and_that_is_recorded(
    url: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "192.0.2.0/24")
    owed = owe(url, left=timedelta(0))
    with dispatching():
        await_state(owed, "failed")
    (attempt,) = attempts(owed)
    assert attempt.status is None
    assert reason in attempt.error


def test_a_missing_secret_is_a_failure_that_says_so(hook: Receiver) -> None:
    owed = owe(hook.url, secret_connection="no_such_connection", left=timedelta(0))
    with dispatching():
        await_state(owed, "failed")
    assert "no_such_connection" in attempts(owed)[0].error
    assert not hook.hits


def test_a_secret_may_be_in_a_connection(hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_HOOK", f'{{"conn_type": "generic", "password": "{SECRET}"}}')
    owed = owe(hook.url, secret_connection="hook")
    with dispatching():
        await_state(owed, "delivered")
    Webhook(SECRET).verify(hook.hits[0].body, hook.hits[0].headers)


def test_the_clock_of_a_notice_is_that_of_the_attempt(hook: Receiver) -> None:
    hook.answer = lambda _: Reply(500) if len(hook.hits) == 1 else Reply()
    owed = owe(hook.url, created_at=datetime.now(UTC) - timedelta(hours=5))
    with dispatching():
        await_state(owed, "delivered")
    first, second = hook.hits
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert abs(int(second.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 10
