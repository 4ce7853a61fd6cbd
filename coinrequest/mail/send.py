"""Sends a mail over a server; without one it fails, or writes the mail to the log if the caller allows it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from coinrequest import settings
from coinrequest.mail.errors import MailInvalid, MailServerMissing
from coinrequest.mail.message import Addresses, Attachment, compose, safe_name
from coinrequest.mail.server import MailServer, deliver, parse_server_url

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of sending a mail.

    Attributes:
        delivered: whether the server accepted the mail for at least one recipient.
        to: all recipients.
        reason: why the mail was not delivered, or which recipients were refused; None if there was no problem.
    """

    delivered: bool
    to: tuple[str, ...]
    reason: str | None = None


def send_mail(
    subject: str,
    body: str,
    to: Sequence[str] = (),
    *,
    html: str | None = None,
    attachments: Sequence[Attachment] = (),
    cc: Sequence[str] = (),
    bcc: Sequence[str] = (),
    reply_to: Sequence[str] = (),
    server: MailServer | None = None,
    skip_without_server: bool = False,
) -> Delivery:
    """Send a mail.

    Args:
        subject: the subject, on one line.
        body: the body in plain text.
        to: recipients; the addresses of `COINREQUEST_MAIL_TO` if `to`, `cc` and `bcc` are empty.
        html: the body in HTML.
        attachments: attached files.
        cc: recipients of a copy.
        bcc: recipients of a blind copy.
        reply_to: addresses for replies.
        server: the SMTP server; None for the server of `COINREQUEST_SMTP_URL`.
        skip_without_server: whether to write the mail to the log if there is no server, instead of failing.

    Returns:
        The result. A mail that was skipped is not delivered.

    Raises:
        MailInvalid: the mail is invalid, or it has no recipient although there is a server.
        MailServerMissing: there is no server, and `skip_without_server` is false.
        MailFailed: the server did not accept the mail.
    """
    if server is None and (url := settings.smtp_url()) is not None:
        server = parse_server_url(url)
    if server is None and not skip_without_server:
        raise MailServerMissing("there is no mail server: COINREQUEST_SMTP_URL is not set")
    addresses = Addresses(
        sender=(server.sender if server is not None else "") or settings.mail_from(),
        to=tuple(to) or (() if cc or bcc else settings.mail_to()),
        cc=tuple(cc),
        bcc=tuple(bcc),
        reply_to=tuple(reply_to),
    )
    message = compose(subject, body, addresses, html=html, attachments=attachments)
    recipients = addresses.recipients
    if server is None:
        return _logged(subject, body, recipients, attachments)
    if not recipients:
        raise MailInvalid("the mail has no recipient; give one, or set COINREQUEST_MAIL_TO")
    refused = deliver(message, addresses.sender, recipients, server)
    if refused:
        # Not an error: a retry would send the mail again to the other recipients.
        reason = "; ".join(f"{address}: {answer}" for address, answer in refused.items())
        log.warning("The mail server %s refused some recipients: %s", server.address, reason)
        return Delivery(True, recipients, f"not delivered to {reason}")
    log.info("Sent the mail to %s over %s", ", ".join(recipients), server.address)
    return Delivery(True, recipients)


def _logged(subject: str, body: str, recipients: tuple[str, ...], attachments: Sequence[Attachment]) -> Delivery:
    names = "".join(f"\n\n[attached: {safe_name(one.name)}, {len(one.content)} bytes]" for one in attachments)
    shown = ", ".join(recipients) or "nobody"
    log.info("COINREQUEST_SMTP_URL is not set; mail:\nTo: %s\nSubject: %s\n\n%s%s", shown, subject, body, names)
    return Delivery(False, recipients, "COINREQUEST_SMTP_URL is not set; the mail is in the log")
