from email import message_from_string
from email.policy import default

import pytest
from support.smtp_stub import SmtpStub

from coinrequest.mail import MailFailed, MailInvalid, send_mail


@pytest.fixture
def server(smtp_stub: SmtpStub, monkeypatch: pytest.MonkeyPatch) -> SmtpStub:
    monkeypatch.setenv("COINREQUEST_SMTP_URL", smtp_stub.url)
    monkeypatch.setenv("COINREQUEST_MAIL_FROM", "jobs@example.test")
    return smtp_stub


def test_a_mail_arrives(server: SmtpStub) -> None:
    delivery = send_mail("Prix: 5 €", "Grüße\n.\nend", ["a@example.test", "b@example.test"])
    assert (delivery.delivered, delivery.reason) == (True, None)
    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == ("jobs@example.test", ["a@example.test", "b@example.test"])
    message = message_from_string(mail.data, policy=default)
    assert message["Subject"] == "Prix: 5 €"
    assert message["To"] == "a@example.test, b@example.test"
    assert message["Message-ID"].endswith("@example.test>")
    assert message["Date"].datetime.tzinfo is not None
    assert message.get_content().splitlines() == ["Grüße", ".", "end"]


def test_the_configured_recipients_get_what_names_none(server: SmtpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_MAIL_TO", "ops@example.test, dev@example.test")
    send_mail("subject", "body")
    assert server.mails[0].recipients == ["ops@example.test", "dev@example.test"]


def test_a_mail_to_nobody_is_an_error(server: SmtpStub) -> None:
    with pytest.raises(MailInvalid, match="no recipient"):
        send_mail("subject", "body")


def test_without_a_server_the_mail_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        delivery = send_mail("the subject", "the body", ["a@example.test"])
    assert not delivery.delivered
    assert "COINREQUEST_SMTP_URL is not set" in str(delivery.reason)
    assert "To: a@example.test\nSubject: the subject\n\nthe body" in caplog.text


@pytest.mark.parametrize("subject", ["a\r\nBcc: x@example.test", "a\nb", "a\x00b"])
def test_a_subject_cannot_bring_headers(server: SmtpStub, subject: str) -> None:
    with pytest.raises(MailInvalid, match="one line"):
        send_mail(subject, "body", ["a@example.test"])
    assert server.mails == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@",
        "@example.test",
        "a@b@c",
        "a b@example.test",
        "a@example.test\r\nBcc: x@example.test",
        "a@example.test\n",
        "a@example.test,b@example.test",
        "A <a@example.test>",
    ],
)
def test_what_is_no_address_is_refused(server: SmtpStub, address: str) -> None:
    with pytest.raises(MailInvalid, match="is not a mail address"):
        send_mail("subject", "body", [address])
    assert server.mails == []


def test_a_recipient_that_is_refused_is_told_and_the_others_have_the_mail(server: SmtpStub) -> None:
    server.refused = {"gone@example.test"}
    delivery = send_mail("subject", "body", ["gone@example.test", "here@example.test"])
    assert delivery.delivered
    assert "gone@example.test" in str(delivery.reason)
    assert "550" in str(delivery.reason)
    assert server.mails[0].recipients == ["here@example.test"]


def test_a_mail_that_nobody_gets_is_an_error(server: SmtpStub) -> None:
    server.refused = {"gone@example.test"}
    with pytest.raises(MailFailed, match="did not take the mail"):
        send_mail("subject", "body", ["gone@example.test"])


def test_a_server_that_is_busy_is_an_error(server: SmtpStub) -> None:
    server.refuse_data = True
    with pytest.raises(MailFailed, match="come back later"):
        send_mail("subject", "body", ["a@example.test"])


def test_a_dead_server_is_an_error_without_the_password(smtp_stub: SmtpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    smtp_stub.server.server_close()
    monkeypatch.setenv("COINREQUEST_SMTP_URL", f"smtp://me:s3cret@127.0.0.1:{smtp_stub.port}")
    with pytest.raises(MailFailed) as caught:
        send_mail("subject", "body", ["a@example.test"])
    assert f"127.0.0.1:{smtp_stub.port}" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:25", "smtp://", "smtp://host:port"])
def test_an_address_of_a_server_that_is_none_is_a_clear_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_SMTP_URL", url)
    with pytest.raises(MailFailed, match="must look like smtp://"):
        send_mail("subject", "body", ["a@example.test"])
