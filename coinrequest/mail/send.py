"""Sending a mail through the configured server, or writing it to the log where there is none."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from coinrequest import settings
from coinrequest.mail.errors import MailInvalid
from coinrequest.mail.message import Addresses, Attachment, compose, safe_name
from coinrequest.mail.server import MailServer, deliver, parse_server_url

_logger = logging.getLogger(__name__)


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
) -> Delivery:
    """Send a mail.

    Args:
        subject: one line.
        body: plain text.
        to: addresses; if nobody is named here, in `cc` or in `bcc`: those of `COINREQUEST_MAIL_TO`.
        html: the same for readers of HTML.
        attachments: files.
        cc: addresses that everybody sees too.
        bcc: addresses that nobody sees.
        reply_to: addresses that answers go to.
        server: who delivers it; None: the server of `COINREQUEST_SMTP_URL`.

    Returns:
        What became of it. Without any server the mail is in the log, and not delivered.

    Raises:
        MailInvalid: it is not a mail, or there is no recipient though there is a server.
        MailFailed: the server did not take it.
    """
    url = settings.smtp_url()
    if server is None and url is not None:
        server = parse_server_url(url)
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
        names = "".join(f"\n\n[attached: {safe_name(one.name)}, {len(one.content)} bytes]" for one in attachments)
        shown = ", ".join(recipients) or "nobody"
        _logger.info(
            "COINREQUEST_SMTP_URL is not set; the mail:\nTo: %s\nSubject: %s\n\n%s%s", shown, subject, body, names
        )
        return Delivery(False, recipients, "COINREQUEST_SMTP_URL is not set; the mail is in the log")
    if not recipients:
        raise MailInvalid("the mail has no recipient; name one, or set COINREQUEST_MAIL_TO")
    refused = deliver(message, addresses.sender, recipients, server)
    if refused:
        # Some have it: to fail now would send it to them again.
        reason = "; ".join(f"{address}: {answer}" for address, answer in refused.items())
        _logger.warning("the mail server %s refused some recipients: %s", server.address, reason)
        return Delivery(True, recipients, f"not delivered to {reason}")
    _logger.info("mail delivered to %s through %s", ", ".join(recipients), server.address)
    return Delivery(True, recipients)
