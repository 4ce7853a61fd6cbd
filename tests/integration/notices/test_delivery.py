"""Delivering notices over a real database to receivers that misbehave."""

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from support import notices
from support.notices import QUICK, attempts, await_state, dispatching, ids, message_id, owe
from support.receiver import Answer, Receiver, webhook_receiver
from support.waiting import always, eventually

from coinrequest.airflow import encryption

SECRET = "whsec_" + base64.b64encode(b"0123456789" * 3).decode()


@pytest.fixture(autouse=True)
def nothing_owed(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "127.0.0.0/8")
    notices.clear()


def test_a_notice_is_delivered_once_with_a_valid_signature(receiver: Receiver) -> None:
    receiver.script(Answer(body=b"thanks"))
    owed = owe(f"{receiver.url}/hook?x=1", secret=encryption.encrypt(SECRET))
    with dispatching():
        row = await_state(owed, "delivered")
    (request,) = receiver.received
    assert request.path == "/hook?x=1"
    assert Webhook(SECRET).verify(request.body, dict(request.headers)) == {
        "type": "job.completed",
        "data": {"state": "success"},
    }
    assert request.headers["webhook-id"] == message_id(owed)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("coinrequest/")
    (attempt,) = attempts(owed)
    assert (attempt.number, attempt.status, attempt.error, attempt.response) == (1, 200, None, "thanks")
    assert 0 < attempt.seconds < 5
    assert row.attempts == 1
    assert row.ended_at is not None


@pytest.mark.parametrize(
    "answer",
    [
        Answer(204),
        Answer(),
        Answer(body=b"<html>thanks</html>", headers={"Content-Type": "text/html"}),
        Answer(202, body=b"\xff\0"),
    ],
    ids=["204", "empty", "html", "bytes"],
)
def test_every_2xx_is_a_delivery_whatever_its_body(receiver: Receiver, answer: Answer) -> None:
    receiver.otherwise = answer
    owed = owe(receiver.url)
    with dispatching():
        assert (await_state(owed, "delivered")).attempts == 1
    assert len(receiver.received) == 1


def test_a_notice_without_a_secret_is_not_signed(receiver: Receiver) -> None:
    owed = owe(receiver.url)
    with dispatching():
        await_state(owed, "delivered")
    assert "webhook-signature" not in receiver.received[0].headers


def test_every_notice_survives_errors_and_time_outs_of_its_receiver(receiver: Receiver) -> None:
    """The receiver answers 500 for a while, then hangs, then answers; another one is not affected."""
    policy = replace(QUICK, webhook_seconds=1.5)
    receiver.script(*[500] * 10, *[Answer(hang=True)] * 6)
    with webhook_receiver() as other, dispatching(policy) as dispatcher:
        owed = [owe(f"{receiver.url}/{n}", secret=encryption.encrypt(SECRET)) for n in range(6)]
        dispatcher.wake()
        eventually(lambda: len(receiver.received) > 10, interval=0.02)  # it hangs
        for _ in range(3):
            began = time.monotonic()
            quick = owe(other.url)
            dispatcher.wake()
            await_state(quick, "delivered")
            assert time.monotonic() - began < policy.webhook_seconds
        for one in owed:
            await_state(one, "delivered", timeout=30)
    for request in receiver.received:
        Webhook(SECRET).verify(request.body, dict(request.headers))
    for one in owed:
        found = attempts(one)
        assert [attempt.number for attempt in found] == list(range(1, len(found) + 1))
        assert [attempt.started_at for attempt in found] == sorted(attempt.started_at for attempt in found)
        assert [attempt.status for attempt in found][-1] == 200
        assert {attempt.status for attempt in found[:-1]} <= {500, None}
        assert len(found) == ids(receiver).count(message_id(one))
    silent = [attempt for one in owed for attempt in attempts(one) if attempt.status is None]
    assert silent
    assert all("timed out" in attempt.error for attempt in silent)


def test_a_receiver_that_does_not_answer_gets_one_notice_at_a_time(receiver: Receiver) -> None:
    """So not every notice waits for another time-out."""
    receiver.otherwise = Answer(hang=True)
    policy = replace(QUICK, webhook_seconds=0.2, longest_pause=timedelta(seconds=60), first_delay=timedelta(seconds=60))
    owed = [owe(receiver.url) for _ in range(20)]
    with dispatching(policy) as dispatcher:
        eventually(lambda: sum(len(attempts(one)) for one in owed) >= policy.per_receiver, interval=0.02)
        dispatcher.wake()
        always(lambda: len(receiver.received) <= policy.per_receiver + policy.patience, seconds=0.5)
        assert {notices.notice(one).state for one in owed} == {"pending"}


def test_a_receiver_that_is_gone_gets_nothing_more(receiver: Receiver) -> None:
    receiver.otherwise = Answer(410, body=b"never again")
    owed = owe(receiver.url)
    with dispatching():
        await_state(owed, "failed")
    (attempt,) = attempts(owed)
    assert (attempt.status, attempt.response) == (410, "never again")


def test_it_gives_up_at_the_deadline(receiver: Receiver) -> None:
    receiver.otherwise = Answer(503)
    owed = owe(receiver.url, left=timedelta(seconds=2))
    with dispatching():
        row = await_state(owed, "failed")
    assert row.ended_at >= row.give_up_at
    found = attempts(owed)
    assert len(found) >= 3
    assert {attempt.status for attempt in found} == {503}
    assert row.attempts == len(found) == len(receiver.received)


def test_a_notice_that_has_waited_too_long_is_still_attempted(receiver: Receiver) -> None:
    """No gateway ran for days."""
    owed = owe(receiver.url, left=timedelta(hours=-1))
    with dispatching():
        await_state(owed, "delivered")


def test_overdue_notices_are_given_up_when_their_receiver_does_not_answer(receiver: Receiver) -> None:
    receiver.otherwise = Answer(hang=True)
    policy = replace(QUICK, webhook_seconds=0.2, longest_pause=timedelta(seconds=60))
    late = [owe(receiver.url, left=timedelta(hours=-1)) for _ in range(12)]
    fresh = owe(receiver.url)
    with dispatching(policy):
        for one in late:
            await_state(one, "failed")
    assert notices.notice(fresh).state == "pending"
    assert len(receiver.received) < len(late)
    assert "not attempted" in attempts(late[-1])[-1].error


def test_it_waits_as_long_as_the_receiver_asks(receiver: Receiver) -> None:
    receiver.script(Answer(429, headers={"Retry-After": "2"}))
    owed = owe(receiver.url)
    with dispatching():
        await_state(owed, "delivered")
    first, second = receiver.received
    assert timedelta(seconds=1.9) < second.at - first.at < timedelta(seconds=6)


def test_retry_after_does_not_go_beyond_the_deadline(receiver: Receiver) -> None:
    receiver.otherwise = Answer(503, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"})
    owed = owe(receiver.url, left=timedelta(seconds=1.5))
    with dispatching():
        await_state(owed, "failed")
    assert len(attempts(owed)) == 2


def test_a_redirect_is_a_failure(receiver: Receiver) -> None:
    with webhook_receiver() as other:
        receiver.otherwise = Answer(302, headers={"Location": other.url})
        owed = owe(receiver.url, left=timedelta(0))
        with dispatching():
            await_state(owed, "failed")
        assert not other.received
    (attempt,) = attempts(owed)
    assert attempt.status == 302
    assert "redirect" in attempt.error


def test_only_the_beginning_of_an_answer_is_kept(receiver: Receiver) -> None:
    receiver.otherwise = Answer(body=b"a\x00b\xff" + b"x" * 100_000)
    owed = owe(receiver.url)
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


def test_a_missing_secret_is_a_failure_that_says_so(receiver: Receiver) -> None:
    owed = owe(receiver.url, secret_connection="no_such_connection", left=timedelta(0))
    with dispatching():
        await_state(owed, "failed")
    assert "no_such_connection" in attempts(owed)[0].error
    assert not receiver.received


def test_a_secret_may_be_in_a_connection(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_HOOK", f'{{"conn_type": "generic", "password": "{SECRET}"}}')
    owed = owe(receiver.url, secret_connection="hook")
    with dispatching():
        await_state(owed, "delivered")
    Webhook(SECRET).verify(receiver.received[0].body, dict(receiver.received[0].headers))


def test_the_timestamp_of_a_webhook_is_that_of_the_attempt(receiver: Receiver) -> None:
    receiver.script(500)
    owed = owe(receiver.url, created_at=datetime.now(UTC) - timedelta(hours=5))
    with dispatching():
        await_state(owed, "delivered")
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert abs(int(second.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 10
