"""Notices as e-mail and chat messages, over real servers on the loopback."""

import json
import socket
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support.http_stub import HttpStub, Reply
from support.smtp_stub import SmtpStub, smtp_server

from coinrequest.airflow.credentials import CredentialMissing
from coinrequest.notices.claims import Claim
from coinrequest.notices.destinations import apprise
from coinrequest.notices.policy import Policy

# Apprise loads all of its plugins, and one of them a library that imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

DATA = {
    "job_id": "0190c2f3-0000-7000-8000-000000000000",
    "job_type": "btc-report",
    "state": "success",
    "result": {"prices": [1, "£"]},
    "error": None,
    "submitted_at": "2030-01-31T08:00:00+00:00",
    "started_at": "2030-01-31T08:00:01.500000+00:00",
    "ended_at": "2030-01-31T08:00:02+00:00",
    "labels": {"team": "data"},
    "links": {"job": "https://jobs.test/jobs/v1/jobs/1", "run": "https://jobs.test/dags/btc-report/runs/1"},
}
FAILED = DATA | {
    "state": "failed",
    "result": None,
    "error": {"task": "wait", "map_index": None, "message": "Task 'wait' failed; see its log"},
}
QUICK = Policy(apprise_seconds=1.0)


@pytest.fixture
def smtp() -> Iterator[SmtpStub]:
    with smtp_server() as stub:
        yield stub


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The Apprise URLs of the connection `ops_chat`."""
    urls: list[str] = []

    def password_of(name: str) -> str:
        if name != "ops_chat":
            raise CredentialMissing(name)
        return " \n".join(urls)

    monkeypatch.setattr(apprise, "password_of", password_of)
    return urls


def claim(data: dict[str, Any] = DATA, destination: str = "ops_chat") -> Claim:
    now = datetime.now(UTC)
    return Claim(
        id=uuid.uuid4(),
        kind="apprise",
        destination=destination,
        secret_connection=None,
        secret=None,
        body=json.dumps({"type": "job.completed", "data": data}),
        attempts=0,
        give_up_at=now,
        receiver="apprise ops_chat",
        lease=now,
    )


def mailto(port: int) -> str:
    return f"mailto://127.0.0.1:{port}?from=jobs@example.org&to=ops@example.org"


def dead_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def decoded(mail: Any) -> tuple[str, str]:
    """The subject and the text of a mail."""
    from email import message_from_string
    from email.header import decode_header, make_header

    message = message_from_string(mail.data)
    parts = [part for part in message.walk() if part.get_content_type() == "text/plain"]
    payload = parts[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    return str(make_header(decode_header(message["Subject"]))), payload.decode()


def test_a_mail_says_what_succeeded(smtp: SmtpStub, connection: list[str]) -> None:
    connection.append(mailto(smtp.port))
    outcome = apprise.deliver(claim(), Policy())
    assert outcome.delivered, outcome
    (mail,) = smtp.mails
    assert (mail.sender, mail.recipients) == ("jobs@example.org", ["ops@example.org"])
    subject, text = decoded(mail)
    assert subject == "btc-report succeeded"
    for part in (
        "0190c2f3-0000-7000-8000-000000000000",
        '{"prices": [1, "£"]}',
        "Ended: 2030-01-31 08:00:02 UTC",
        "team: data",
        "https://jobs.test/jobs/v1/jobs/1",
        "https://jobs.test/dags/btc-report/runs/1",
    ):
        assert part in text


def test_a_mail_says_what_failed(smtp: SmtpStub, connection: list[str]) -> None:
    connection.append(mailto(smtp.port))
    assert apprise.deliver(claim(FAILED), Policy()).delivered
    subject, text = decoded(smtp.mails[0])
    assert subject == "btc-report failed"
    assert "State: failed" in text
    assert "Error: Task 'wait' failed; see its log" in text


def test_a_chat_message_goes_to_its_server(http_stub: HttpStub, connection: list[str]) -> None:
    connection.append(http_stub.url.replace("http://", "json://") + "/room")
    assert apprise.deliver(claim(), Policy()).delivered
    message = json.loads(http_stub.hits[0].body)
    assert message["title"] == "btc-report succeeded"
    assert "https://jobs.test/jobs/v1/jobs/1" in message["message"]


def test_a_dead_mail_server_is_a_reason_without_secrets(connection: list[str]) -> None:
    connection.append(f"mailto://ada:Pass%2Dword9@127.0.0.1:{dead_port()}?from=jobs@example.org&to=ops@example.org")
    outcome = apprise.deliver(claim(), Policy())
    assert not outcome.delivered
    assert not outcome.answered
    assert "Connection error" in (outcome.error or "")
    for secret in ("Pass%2Dword9", "Pass-word9"):
        assert secret not in (outcome.error or "")


def test_a_mail_server_that_hangs_is_left_in_time(connection: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection.append(mailto(silent.getsockname()[1]))
        began = time.monotonic()
        outcome = apprise.deliver(claim(), QUICK)
    assert time.monotonic() - began < 5
    assert not outcome.delivered
    assert not outcome.answered


def test_only_those_without_it_get_it_again(smtp: SmtpStub, http_stub: HttpStub, connection: list[str]) -> None:
    http_stub.replies = [Reply(500), Reply(200)]
    connection += [mailto(smtp.port), http_stub.url.replace("http://", "json://")]
    first = apprise.deliver(claim(), Policy())
    assert (first.delivered, first.answered, first.remaining) == (False, True, "ops_chat 2")
    assert (first.error or "").startswith("URL 2: ")
    assert "500" in (first.error or "")
    assert apprise.deliver(claim(destination="ops_chat 2"), Policy()).delivered
    assert (len(smtp.mails), len(http_stub.hits)) == (1, 2)


def test_a_notice_whose_url_was_removed_is_not_delivered(http_stub: HttpStub, connection: list[str]) -> None:
    connection.append(http_stub.url.replace("http://", "json://") + "/room")
    outcome = apprise.deliver(claim(destination="ops_chat 2"), QUICK)
    assert (outcome.delivered, outcome.error) == (False, "the connection has no URL 2 any more")
    assert not http_stub.hits


def test_an_invalid_apprise_url_is_reported_without_showing_it(connection: list[str]) -> None:
    connection.append("nonsense://tok-en")
    outcome = apprise.deliver(claim(), Policy())
    assert not outcome.delivered
    assert "Apprise URL" in (outcome.error or "")
    assert "tok-en" not in (outcome.error or "")


@pytest.mark.parametrize(
    ("url", "text", "expected"),
    [
        ("slack://TOKENA/TOKENB/chan", "no TOKENB of TOKENA at slack", "no *** of *** at slack"),
        ("mailto://u:s%40cret@h", "s@cret and s%40cret", "*** and ***"),
        ("mailto://u:pw@h?from=jobs@h", "the mail from u to h: pw", "the mail from u to h: ***"),
        ("slack://[TOKENA", "no TOKENA", "the URL cannot be read"),
        ("json://h/?key=abcdef", "json://h/?key=abcdef and abcdef", "*** and ***"),
    ],
)
def test_secrets_are_taken_out_of_a_text(url: str, text: str, expected: str) -> None:
    assert apprise.without_secrets(text, url) == expected
