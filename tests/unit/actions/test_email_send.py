import json
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from support.actions import errors, run
from support.certificates import self_signed
from support.smtp_stub import SmtpStub

from coinrequest.actions.context import Connection
from coinrequest.actions.email_send import (
    EmailConnectionUnusable,
    EmailInvalid,
    EmailNotTaken,
    EmailServerMissing,
)

ROWS = [{"currency": "USD", "rate": "1.50", "note": "grün"}, {"currency": "EUR", "rate": "2", "more": [1, None]}]


@pytest.fixture
def server(smtp_stub: SmtpStub, monkeypatch: pytest.MonkeyPatch) -> SmtpStub:
    monkeypatch.setenv("COINREQUEST_SMTP_URL", smtp_stub.url)
    return smtp_stub


def connection(server: SmtpStub, **changes: Any) -> Connection:
    """Make a connection to the stub, without encryption unless `options` say otherwise."""
    options = {"disable_ssl": True, "disable_tls": True, "from_email": "desk@example.test"}
    fields = {"kind": "smtp", "host": "127.0.0.1", "port": server.port, "options": options}
    return Connection(name="mail", **{**fields, **changes})


def send(inputs: dict[str, Any], *connections: Connection) -> Any:
    return run("email.send", {"to": ["a@example.test"], "subject": "BTC", **inputs}, *connections)


def received(server: SmtpStub) -> EmailMessage:
    message = message_from_string(server.mails[-1].data, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def shown(server: SmtpStub, kind: str) -> str:
    """Return what a reader of plain text or of HTML sees."""
    part = received(server).get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def files(server: SmtpStub) -> dict[str, tuple[str, str]]:
    return {
        str(part.get_filename()): (part.get_content_type(), part.get_payload(decode=True).decode())
        for part in received(server).iter_attachments()
    }


def test_a_mail_is_sent_and_any_output_becomes_text(server: SmtpStub) -> None:
    sent = send({"body": ROWS})
    assert sent == {"delivered": True, "to": ["a@example.test"], "reason": None}
    assert shown(server, "plain").startswith("- currency: USD\n  rate: '1.50'\n  note: grün\n")
    for body in ("plain", 5, None, True, {"a": [1]}):
        assert send({"body": body})["delivered"]


def test_html_brings_its_own_text_or_stands_beside_a_body(server: SmtpStub) -> None:
    send({"html": "<h1>Köln</h1><p>5 <b>€</b></p>"})
    assert shown(server, "html").strip() == "<h1>Köln</h1><p>5 <b>€</b></p>"
    assert shown(server, "plain") == "Köln\n\n5 €\n"
    send({"html": "<p>x</p>", "body": "for you"})
    assert shown(server, "plain") == "for you\n"


def test_outputs_are_attached_in_the_format_of_the_name(server: SmtpStub) -> None:
    send(
        {
            "body": "see the files",
            "attachments": [
                {"name": "prices.csv", "content": ROWS},
                {"name": "pairs.CSV", "content": [["a", 1], ["b, c", True]]},
                {"name": "one.csv", "content": {"a": 1}},
                {"name": "none.csv", "content": []},
                {"name": "prices.json", "content": ROWS},
                {"name": "prices", "content": ROWS[:1]},
                {"name": "note.txt", "content": "as it is\n"},
                {"name": "../raw.csv", "content": "a;b\n", "content_type": "text/tab-separated-values"},
            ],
        }
    )
    found = files(server)
    assert found["prices.csv"] == (
        "text/csv",
        'currency,rate,note,more\r\nUSD,1.50,grün,\r\nEUR,2,,"[1, null]"\r\n',
    )
    assert found["pairs.CSV"] == ("text/csv", 'a,1\r\n"b, c",true\r\n')
    assert found["one.csv"] == ("text/csv", "a\r\n1\r\n")
    assert found["none.csv"] == ("text/csv", "")
    assert found["prices.json"][0] == "application/json"
    assert json.loads(found["prices.json"][1]) == ROWS
    assert found["prices"] == ("text/plain", "- currency: USD\n  rate: '1.50'\n  note: grün\n")
    assert found["note.txt"] == ("text/plain", "as it is\n")
    assert found["_raw.csv"] == ("text/tab-separated-values", "a;b\n")


@pytest.mark.parametrize("content", [5, None, [1, 2], [{"a": 1}, [2]]])
def test_content_that_is_not_a_table_is_a_clear_error(server: SmtpStub, content: Any) -> None:
    with pytest.raises(EmailInvalid, match=r"x\.csv: a table must be a list of objects or of lists"):
        send({"body": "", "attachments": [{"name": "x.csv", "content": content}]})
    assert server.mails == []


def test_attachments_are_small(server: SmtpStub) -> None:
    half = {"name": "x.txt", "content": "x" * 524_288}
    assert send({"body": "", "attachments": [half, half]})["delivered"]
    with pytest.raises(EmailInvalid, match="have 1048577 bytes in total; the limit is 1048576"):
        send({"body": "", "attachments": [half, half, {"name": "y", "content": "y"}]})


def test_a_connection_names_the_server(server: SmtpStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_SMTP_URL", "smtp://127.0.0.1:1")
    server.certificate = self_signed(tmp_path)
    server.accounts = {"desk": "s3cret"}
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    options = {"disable_ssl": "true", "from_email": "desk@example.test", "timeout": 5, "retry_limit": 3}
    sent = send(
        {"body": "x", "connection": "mail", "cc": ["b@example.test"], "bcc": ["c@example.test"]},
        connection(server, login="desk", password="s3cret", options=options),
    )
    assert sent["to"] == ["a@example.test", "b@example.test", "c@example.test"]
    (mail,) = server.mails
    assert (mail.sender, mail.login, mail.encrypted) == ("desk@example.test", "desk", True)


def test_a_connection_without_a_sender_takes_the_configured_one(
    server: SmtpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COINREQUEST_MAIL_FROM", "jobs@example.test")
    plain = connection(server, options={"disable_ssl": True, "disable_tls": True})
    send({"body": "x", "connection": "mail"}, plain)
    assert server.mails[0].sender == "jobs@example.test"


def test_tls_is_the_default_of_a_connection(server: SmtpStub) -> None:
    with pytest.raises(EmailNotTaken, match="did not accept the mail"):
        send({"body": "x", "connection": "mail"}, connection(server, options={"timeout": 5}))
    with pytest.raises(EmailNotTaken, match="STARTTLS"):
        send({"body": "x", "connection": "mail"}, connection(server, options={"disable_ssl": True}))
    assert server.mails == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "postgres"}, "has the type 'postgres'; sending mail needs a connection of type smtp"),
        ({"host": ""}, "has no host"),
        ({"options": {"auth_type": "oauth2"}}, "auth_type must be basic"),
        ({"options": {"ssl_context": "own"}}, "ssl_context must be default or none"),
        ({"options": {"from_email": "Desk <desk@example.test>"}}, "from_email 'Desk <desk@example.test>' is not"),
        ({"options": {"timeout": "soon"}}, "timeout must be above 0 and at most 300 seconds"),
        ({"options": {"timeout": 301}}, "timeout must be above 0 and at most 300 seconds"),
        ({"name": "other"}, "there is no connection 'mail'"),
    ],
)
def test_a_connection_that_is_not_a_mail_server_is_refused(
    server: SmtpStub, changes: dict[str, Any], message: str
) -> None:
    fields = {"name": "mail", "kind": "smtp", "host": "127.0.0.1", "port": server.port, **changes}
    with pytest.raises(EmailConnectionUnusable, match=message):
        send({"body": "x", "connection": "mail"}, Connection(**fields))


def test_errors_do_not_contain_the_password(server: SmtpStub) -> None:
    server.accounts = {"desk": "right"}
    with pytest.raises(EmailNotTaken) as caught:
        send({"body": "x", "connection": "mail"}, connection(server, login="desk", password="wr0ng-one"))
    assert "535 desk with *** is unknown" in str(caught.value)


def test_a_recipient_that_is_refused_is_in_the_result(server: SmtpStub) -> None:
    server.refused = {"gone@example.test"}
    sent = send({"to": ["gone@example.test", "a@example.test"], "body": "x"})
    assert sent["delivered"]
    assert sent["reason"] == "not delivered to gone@example.test: 550 no such person"


def test_a_dead_mail_server_fails_the_action(server: SmtpStub) -> None:
    server.server.server_close()
    with pytest.raises(EmailNotTaken, match="did not accept the mail"):
        send({"body": "y"})
    with pytest.raises(EmailInvalid, match="no recipient"):
        run("email.send", {"subject": "x", "body": "y"})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"subject": "a\nBcc: x@example.test"}, "one line"),
        ({"to": ["a@example.test\nBcc: b@example.test"]}, "is not a mail address"),
        ({"bcc": ["jörg@example.test"]}, "write its domain in ASCII"),
        ({"reply_to": ["nobody"]}, "is not a mail address"),
        ({"to": []}, "at least 1 item"),
        ({"to": ["a@example.test"] * 51}, "at most 50 items"),
        ({"to": "a@example.test"}, "valid tuple"),
        ({"subject": ""}, "at least 1 character"),
        ({"html": 5}, "valid string"),
        ({"attachments": [{"name": "x"}]}, "attachments.0.content"),
        ({"attachments": [{"name": "", "content": 1}]}, "at least 1 character"),
        ({"attachments": [{"name": "x", "content": 1, "content_type": "text"}]}, "is not the content type of a file"),
        ({"attachments": [{"name": "x", "content": 1}] * 11}, "at most 10 items"),
        ({"connection": ""}, "at least 1 character"),
    ],
)
def test_invalid_mails_are_refused(inputs: dict[str, Any], message: str) -> None:
    assert message in errors("email.send", {"subject": "x", "body": "y", **inputs})


def test_a_mail_needs_a_body() -> None:
    assert "give a body, html or both" in errors("email.send", {"subject": "x"})
    assert "give a body, html or both" in errors("email.send", {"subject": "x", "html": None})


def test_without_a_server_it_fails_with_the_remedy() -> None:
    with pytest.raises(EmailServerMissing) as caught:
        send({"body": "x"})
    assert str(caught.value) == (
        "there is no mail server: COINREQUEST_SMTP_URL is not set; set it on the agents, name an Airflow connection of "
        "type smtp in `connection`, or set `skip_without_server: true` if the mail may be left out"
    )


def test_without_a_server_a_mail_that_may_be_skipped_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        sent = send({"body": "the text", "skip_without_server": True})
    assert sent == {
        "delivered": False,
        "to": ["a@example.test"],
        "reason": "COINREQUEST_SMTP_URL is not set; the mail is in the log",
    }
    assert "the text" in caplog.text
