"""Sending a mail over the configured SMTP server, or writing it to the log where there is none."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from coinrequest import settings

if TYPE_CHECKING:
    from email.message import EmailMessage

_logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20.0

# One address and nothing else: no display name, no list, and above all no line end (RFC 5322, 3.4.1).
ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,64}@[^\s@<>,;:\"()\\\x00-\x1f\x7f]{1,255}")


class MailInvalid(ValueError):
    """This is not a mail: an address that is none, a subject with a line end, nobody to send it to."""


class MailFailed(Exception):
    """The SMTP server could not be reached, or took the mail from nobody or for nobody."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a mail.

    Attributes:
        delivered: whether the server took it, at least for one recipient.
        to: for whom it was meant.
        reason: why it was not delivered, or to whom not; None if everything went well.
    """

    delivered: bool
    to: tuple[str, ...]
    reason: str | None = None


def send_mail(subject: str, body: str, to: Sequence[str] = ()) -> Delivery:
    """Send a mail of plain text.

    Args:
        subject: one line.
        body: text.
        to: addresses; empty: those of `COINREQUEST_MAIL_TO`.

    Returns:
        What became of it. Without `COINREQUEST_SMTP_URL` the mail is in the log, and not delivered.

    Raises:
        MailInvalid: it is not a mail, or there is no recipient though there is a server.
        MailFailed: the server did not take it.
    """
    recipients = tuple(to) or settings.mail_to()
    for address in (*recipients, settings.mail_from()):
        if not ADDRESS.fullmatch(address):
            raise MailInvalid(f"{address[:100]!r} is not a mail address")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in subject):
        raise MailInvalid("the subject must be one line without control characters")
    url = settings.smtp_url()
    if url is None:
        shown = ", ".join(recipients) or "nobody"
        _logger.info("COINREQUEST_SMTP_URL is not set; the mail:\nTo: %s\nSubject: %s\n\n%s", shown, subject, body)
        return Delivery(False, recipients, "COINREQUEST_SMTP_URL is not set; the mail is in the log")
    if not recipients:
        raise MailInvalid("the mail has no recipient; name one, or set COINREQUEST_MAIL_TO")
    return _deliver(_compose(subject, body, recipients), recipients, urlsplit(url))


def _compose(subject: str, body: str, recipients: Sequence[str]) -> "EmailMessage":
    from email.message import EmailMessage
    from email.policy import SMTP
    from email.utils import format_datetime, localtime, make_msgid

    sender = settings.mail_from()
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))  # any server takes it
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message.set_content(body)
    return message


def _deliver(message: "EmailMessage", recipients: tuple[str, ...], url: SplitResult) -> Delivery:
    import smtplib
    import ssl

    host, port = _server_address(url)
    where = f"{host}:{port}"
    context = ssl.create_default_context()
    try:
        server: smtplib.SMTP
        if url.scheme == "smtps":
            server = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
        with server:
            server.ehlo()
            if url.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            if url.username:
                server.login(unquote(url.username), unquote(url.password or ""))
            refused = server.send_message(message, to_addrs=list(recipients))
    except (OSError, smtplib.SMTPException) as error:
        raise MailFailed(f"the mail server {where} did not take the mail: {error}") from error
    if refused:
        # Some have it: to fail now would send it to them again.
        reason = "; ".join(f"{address}: {answer}" for address, answer in refused.items())
        _logger.warning("the mail server %s refused some recipients: %s", where, reason)
        return Delivery(True, recipients, f"not delivered to {reason}")
    _logger.info("mail delivered to %s through %s", ", ".join(recipients), where)
    return Delivery(True, recipients)


def _server_address(url: SplitResult) -> tuple[str, int]:
    default_ports = {"smtp": 25, "smtps": 465}
    try:
        port = url.port
    except ValueError:
        port = 0
    if url.scheme not in default_ports or not url.hostname or port == 0:
        # The URL holds a password, so it is not shown.
        raise MailFailed("COINREQUEST_SMTP_URL must look like smtp://user:password@host:port, or smtps://...")
    return url.hostname, port or default_ports[url.scheme]
