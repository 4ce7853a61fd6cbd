"""Notices survive the death of a dispatcher, the absence of the database, and a dead mail server."""

import contextlib
import logging
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support import notices
from support.notices import (
    QUICK,
    attempts,
    await_state,
    dispatching,
    ids,
    message_id,
    owe,
)
from support.receiver import Answer, Receiver, webhook_receiver
from support.smtp_stub import smtp_server
from support.waiting import eventually

from coinrequest.notices.dispatch import Dispatcher

# Apprise loads all of its plugins, and one of them a library that imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

# A dispatcher as a process of its own, which can be killed.
PROCESS = """
import threading
from datetime import timedelta
from coinrequest.notices.dispatch import Dispatcher
from coinrequest.notices.policy import Policy
Dispatcher(None, policy=Policy(lease=timedelta(seconds=5))).run(threading.Event())
"""


@pytest.fixture(autouse=True)
def nothing_owed(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "127.0.0.0/8")
    notices.clear()


class Database:
    """Sessions of the metadata database, which can be unavailable."""

    def __init__(self) -> None:
        self.away = False
        self.refused = 0

    @contextlib.contextmanager
    def __call__(self) -> Iterator[Any]:
        from airflow.utils.session import create_session
        from sqlalchemy.exc import OperationalError

        if self.away:
            self.refused += 1
            raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))
        with create_session(scoped=False) as session:
            yield session


def test_another_dispatcher_delivers_the_notices_of_a_killed_one(receiver: Receiver) -> None:
    receiver.script(Answer(hang=True))
    owed = owe(receiver.url)
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", PROCESS])
    try:
        eventually(lambda: receiver.received, timeout=60, what="the process does not deliver")
        process.send_signal(signal.SIGKILL)
        process.wait()
        lease = notices.notice(owed).next_attempt_at
        with dispatching():
            await_state(owed, "delivered")
    finally:
        process.kill()
        process.wait()
    assert ids(receiver) == [message_id(owed)] * 2
    # The notice belonged to the dead one until its lease was over; its attempt is not on record.
    (attempt,) = attempts(owed)
    assert attempt.started_at >= lease


def test_two_dispatchers_deliver_each_notice_once(receiver: Receiver) -> None:
    with webhook_receiver() as other, dispatching() as first, dispatching() as second:
        owed = [owe(url) for _ in range(30) for url in (receiver.url, other.url)]
        first.wake()
        second.wake()
        for one in owed:
            await_state(one, "delivered")
        received = sorted(ids(receiver) + ids(other))
    assert received == sorted(message_id(one) for one in owed)
    assert [len(attempts(one)) for one in owed] == [1] * len(owed)


def test_a_notice_that_was_delivered_without_a_database_is_not_delivered_again(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database()
    receiver.otherwise = Answer(hang=True)
    policy = replace(QUICK, lease=timedelta(seconds=0.2))
    with caplog.at_level(logging.INFO, "coinrequest.notices.dispatch"), dispatching(policy, sessions=database):
        owed = owe(receiver.url)
        eventually(lambda: receiver.received, interval=0.02)
        database.away = True
        receiver.release()
        eventually(lambda: database.refused >= 10, interval=0.02)
        later = owe(receiver.url)
        database.away = False
        await_state(owed, "delivered")
        await_state(later, "delivered")
        eventually(lambda: "available again" in caplog.text)
    assert ids(receiver) == [message_id(owed), message_id(later)]
    assert len(attempts(owed)) == 1
    # Not at every try; a claim that had begun before may have succeeded in between.
    assert caplog.text.count("is unavailable") <= 2


def test_a_failure_is_not_recorded_over_the_lease_of_another_dispatcher(receiver: Receiver) -> None:
    """A dispatcher that was held up for longer than its lease does not undo what another one has done."""
    receiver.script(Answer(500, hang=True))
    policy = replace(QUICK, lease=timedelta(seconds=0.2))
    with dispatching(policy):
        owed = owe(receiver.url)
        eventually(lambda: receiver.received, interval=0.02)
        with dispatching():
            await_state(owed, "delivered")
        receiver.release()
        eventually(lambda: len(attempts(owed)) == 2)
    assert notices.notice(owed).state == "delivered"
    assert {attempt.status for attempt in attempts(owed)} == {200, 500}


def test_a_stopped_dispatcher_has_recorded_its_attempts(receiver: Receiver) -> None:
    receiver.otherwise = Answer(hang=True)
    dispatcher, stop = Dispatcher(None, policy=QUICK), threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,), daemon=True)
    thread.start()
    owed, waiting = owe(receiver.url), [owe(receiver.url) for _ in range(QUICK.per_receiver)]
    dispatcher.wake()
    eventually(lambda: len(receiver.received) == QUICK.per_receiver, interval=0.02)
    stop.set()
    dispatcher.wake()
    receiver.release()
    thread.join(10)
    assert not thread.is_alive()
    assert notices.notice(owed).state == "delivered"
    assert notices.notice(waiting[-1]).attempts == 0


def test_a_dead_mail_server_delays_no_webhook_and_loses_no_mail(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"mailto://127.0.0.1:{port}?from=jobs@example.org&to=ops@example.org"
    monkeypatch.setenv("AIRFLOW_CONN_OPS_MAIL", f'{{"conn_type": "generic", "password": "{url}"}}')
    body = (
        '{"data": {"job_id": "1", "job_type": "btc", "state": "success", "result": 1, "error": null, "labels": {},'
        ' "submitted_at": "2030-01-31T08:00:00+00:00", "started_at": null, "ended_at": "2030-01-31T08:00:00+00:00",'
        ' "links": {"job": "http://j/1", "run": "http://r/1"}}}'
    )
    with dispatching():
        mails = [owe("ops_mail", kind="apprise", body=body) for _ in range(3)]
        posts = [owe(receiver.url) for _ in range(5)]
        for post in posts:
            await_state(post, "delivered")
        eventually(lambda: all(attempts(mail) for mail in mails), interval=0.05)
        assert "Connection error" in attempts(mails[0])[0].error
        with smtp_server(port) as smtp:
            for mail in mails:
                await_state(mail, "delivered")
            assert len(smtp.mails) == len(mails)


def test_the_channel_gets_its_messages_when_it_is_back() -> None:
    class Publisher:
        def __init__(self) -> None:
            self.published: list[str | bytes] = []
            self.failures = 2

        def publish_result(self, body: str | bytes) -> None:
            if self.failures:
                self.failures -= 1
                raise ConnectionError("the broker is away")
            self.published.append(body)

    publisher = Publisher()
    owed = owe("result", kind="channel", body='{"job_id": "1"}')
    with dispatching(publisher=publisher):
        await_state(owed, "delivered")
    assert publisher.published == ['{"job_id": "1"}']
    assert [attempt.error for attempt in attempts(owed)] == ["the broker is away"] * 2 + [None]


def test_without_a_channel_the_log_explains_how_to_configure_one() -> None:
    owed = owe("result", kind="channel", left=timedelta(0))
    with dispatching():
        await_state(owed, "failed")
    assert "COINREQUEST_CHANNEL_URL" in attempts(owed)[0].error


def test_a_damaged_notice_delays_no_other(receiver: Receiver) -> None:
    strange = owe("nowhere", kind="pigeon", left=timedelta(0))
    damaged = owe(receiver.url, secret="whsec_", left=timedelta(0))
    sound = owe(receiver.url)
    with dispatching():
        await_state(sound, "delivered")
        await_state(strange, "failed")
        await_state(damaged, "failed")
    assert "pigeon" in attempts(strange)[0].error
    assert "whsec_" in attempts(damaged)[0].error
