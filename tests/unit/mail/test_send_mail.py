"""Sending a mail: what the server receives, and what the sender gets back."""

import ssl
import threading
from email import message_from_string
from email.policy import default
from pathlib import Path

import pytest
from support.certificates import self_signed
from support.smtp_stub import SmtpStub

from coinrequest.mail import Attachment, MailFailed, MailInvalid, MailServer, MailServerMissing, send_mail


@pytest.fixture
def server(smtp_stub: SmtpStub, monkeypatch: pytest.MonkeyPatch) -> SmtpStub:
    monkeypatch.setenv("COINREQUEST_SMTP_URL", smtp_stub.url)
    monkeypatch.setenv("COINREQUEST_MAIL_FROM", "jobs@example.test")
    return smtp_stub


@pytest.fixture
def certificate(smtp_stub: SmtpStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the server offer STARTTLS with a certificate that is trusted."""
    smtp_stub.certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(smtp_stub.certificate))
    return smtp_stub.certificate


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
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().splitlines() == ["Grüße", ".", "end"]


def test_mails_without_recipients_go_to_the_configured_ones(server: SmtpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_MAIL_TO", "ops@example.test, dev@example.test")
    send_mail("subject", "body")
    send_mail("subject", "body", cc=["boss@example.test"])
    assert server.mails[0].recipients == ["ops@example.test", "dev@example.test"]
    assert server.mails[1].recipients == ["boss@example.test"]


def test_copies_and_reply_to_are_sent(server: SmtpStub) -> None:
    delivery = send_mail(
        *("subject", "body", ["a@example.test"]),
        cc=["b@example.test", "a@example.test"],
        bcc=["secret@example.test"],
        reply_to=["desk@example.test"],
    )
    assert delivery.to == ("a@example.test", "b@example.test", "secret@example.test")
    (mail,) = server.mails
    assert mail.recipients == ["a@example.test", "b@example.test", "secret@example.test"]
    assert "secret" not in mail.data
    message = message_from_string(mail.data, policy=default)
    assert message["Cc"] == "b@example.test, a@example.test"
    assert message["Reply-To"] == "desk@example.test"


def test_a_mail_without_recipients_is_an_error(server: SmtpStub) -> None:
    with pytest.raises(MailInvalid, match="no recipient"):
        send_mail("subject", "body")


def test_without_a_server_a_mail_is_an_error() -> None:
    with pytest.raises(MailServerMissing, match="there is no mail server: COINREQUEST_SMTP_URL is not set"):
        send_mail("subject", "body", ["a@example.test"])


def test_without_a_server_a_mail_that_may_be_skipped_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        delivery = send_mail(
            "the subject",
            "the body",
            ["a@example.test"],
            attachments=[Attachment("prices.csv", b"1,2")],
            skip_without_server=True,
        )
    assert not delivery.delivered
    assert "COINREQUEST_SMTP_URL is not set" in str(delivery.reason)
    assert "To: a@example.test\nSubject: the subject\n\nthe body" in caplog.text
    assert "[attached: prices.csv, 3 bytes]" in caplog.text


def test_refused_recipients_are_reported_and_the_others_get_the_mail(server: SmtpStub) -> None:
    server.refused = {"gone@example.test"}
    delivery = send_mail("subject", "body", ["gone@example.test", "here@example.test"])
    assert delivery.delivered
    assert delivery.reason == "not delivered to gone@example.test: 550 no such person"
    assert server.mails[0].recipients == ["here@example.test"]


def test_a_mail_whose_recipients_are_all_refused_is_an_error(server: SmtpStub) -> None:
    server.refused = {"gone@example.test"}
    with pytest.raises(MailFailed, match=r"did not accept the mail: gone@example\.test: 550 no such person"):
        send_mail("subject", "body", ["gone@example.test"])


def test_a_server_that_is_busy_is_an_error(server: SmtpStub) -> None:
    server.refuse_data = True
    with pytest.raises(MailFailed, match="did not accept the mail: 451 come back later"):
        send_mail("subject", "body", ["a@example.test"])


def test_an_accepted_mail_stays_accepted_if_quit_fails(server: SmtpStub) -> None:
    server.goodbye = "421 too busy to say goodbye"
    assert send_mail("subject", "body", ["a@example.test"]).delivered
    assert len(server.mails) == 1


def test_a_silent_server_times_out(smtp_stub: SmtpStub) -> None:
    smtp_stub.silent = threading.Event()
    try:
        with pytest.raises(MailFailed, match="timed out"):
            send_mail(
                *("subject", "body", ["a@example.test"]),
                server=MailServer(host="127.0.0.1", port=smtp_stub.port, timeout=0.05),
            )
    finally:
        smtp_stub.silent.set()


def test_a_dead_server_is_an_error_without_the_password(smtp_stub: SmtpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    smtp_stub.server.server_close()
    monkeypatch.setenv("COINREQUEST_SMTP_URL", f"smtp://me:s3cret@127.0.0.1:{smtp_stub.port}")
    with pytest.raises(MailFailed) as caught:
        send_mail("subject", "body", ["a@example.test"])
    assert f"127.0.0.1:{smtp_stub.port}" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:25", "smtp://", "smtp://host:port"])
def test_an_invalid_server_url_is_a_clear_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_SMTP_URL", url)
    with pytest.raises(MailFailed, match="must look like smtp://"):
        send_mail("subject", "body", ["a@example.test"])


def test_the_login_is_encrypted_if_the_server_offers_it(
    server: SmtpStub, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.accounts = {"jobs": "p%ss"}
    monkeypatch.setenv("COINREQUEST_SMTP_URL", f"smtp://jobs:p%25ss@127.0.0.1:{server.port}")
    assert send_mail("subject", "body", ["a@example.test"]).delivered
    assert (server.mails[0].login, server.mails[0].encrypted) == ("jobs", True)


def test_a_server_may_require_implicit_tls(server: SmtpStub, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    secure = MailServer(host="127.0.0.1", port=server.port, security="tls")
    assert send_mail("subject", "body", ["a@example.test"], server=secure).delivered
    assert len(server.mails) == 1


def test_a_refused_login_has_the_reason_without_the_password(server: SmtpStub) -> None:
    server.accounts = {"jobs": "right"}
    wrong = MailServer(host="127.0.0.1", port=server.port, security="none", login="jobs", password="wr0ng-one")
    with pytest.raises(MailFailed, match=r"535 jobs with \*\*\* is unknown") as caught:
        send_mail("subject", "body", ["a@example.test"], server=wrong)
    assert caught.value.__suppress_context__  # the log shows no more than the text
    assert "wr0ng-one" not in repr(wrong)
    assert server.mails == []


def test_nothing_is_sent_to_a_server_without_the_required_encryption(server: SmtpStub) -> None:
    with pytest.raises(MailFailed, match="STARTTLS"):
        send_mail(
            *("subject", "body", ["a@example.test"]),
            server=MailServer(host="127.0.0.1", port=server.port, security="starttls", login="jobs", password="pass"),
        )
    assert server.mails == []


def test_an_untrusted_certificate_is_an_error_unless_verification_is_off(server: SmtpStub, tmp_path: Path) -> None:
    server.certificate = self_signed(tmp_path)
    with pytest.raises(MailFailed, match="CERTIFICATE_VERIFY_FAILED"):
        send_mail("subject", "body", ["a@example.test"])
    careless = MailServer(host="127.0.0.1", port=server.port, security="starttls", verify=False)
    assert send_mail("subject", "body", ["a@example.test"], server=careless).delivered
    assert server.mails[0].encrypted


def test_an_explicit_server_has_its_own_sender(server: SmtpStub) -> None:
    own = MailServer(host="127.0.0.1", port=server.port, security="none", sender="desk@example.test")
    send_mail("subject", "body", ["a@example.test"], server=own)
    assert server.mails[0].sender == "desk@example.test"
    assert "From: desk@example.test" in server.mails[0].data
