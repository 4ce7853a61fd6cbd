"""SMTP servers, and the delivery of messages to them."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from coinrequest.mail.errors import MailFailed

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

TIMEOUT_SECONDS = 20.0

Security = Literal["tls", "starttls", "starttls_if_offered", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """An SMTP server.

    Attributes:
        host: the host name or address.
        port: 1 to 65535; None for the default, 465 with `tls` and 25 otherwise.
        security: `tls` (implicit TLS, RFC 8314), `starttls` (required), `starttls_if_offered`, or `none`.
        login: the user name; empty to connect without authentication.
        password: the password.
        sender: the sender of mails; empty for the configured one.
        timeout: seconds to wait for each response of the server.
        verify: whether to verify the certificate of the server.
    """

    host: str
    port: int | None = None
    security: Security = "starttls_if_offered"
    login: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""
    timeout: float = TIMEOUT_SECONDS
    verify: bool = True

    @property
    def address(self) -> str:
        """Return the host and the port, for messages."""
        return f"{self.host}:{self.port or (465 if self.security == 'tls' else 25)}"


def parse_server_url(url: str) -> MailServer:
    """Parse the URL of a server: `smtp://[user:password@]host[:port]`, or `smtps://...` for implicit TLS.

    Raises:
        MailFailed: the URL is invalid.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or port == 0:
        # The message leaves out the URL, because it may contain a password.
        raise MailFailed("COINREQUEST_SMTP_URL must look like smtp://user:password@host:port, or smtps://...")
    return MailServer(
        host=parts.hostname,
        port=port,
        security="tls" if parts.scheme == "smtps" else "starttls_if_offered",
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def deliver(message: "EmailMessage", sender: str, recipients: Sequence[str], server: MailServer) -> Mapping[str, str]:
    """Deliver a message to a server.

    Args:
        message: the message.
        sender: the envelope sender, which receives bounces.
        recipients: one or more addresses.
        server: the SMTP server.

    Returns:
        The refused recipients with the responses of the server; it accepted the mail for all others.

    Raises:
        MailFailed: the server could not be reached in time, or refused the login, the sender or all recipients.
    """
    import smtplib

    try:
        with contextlib.closing(_connect(server)) as connection:
            if server.login:
                connection.login(server.login, server.password)
            refused = connection.send_message(message, sender, list(recipients))
            # The mail is already accepted, whatever the server responds.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                connection.quit()
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        # Without the cause, because a response of the server can repeat the password.
        reason = _masked(_reason(error), server)
        raise MailFailed(f"the mail server {server.address} did not accept the mail: {reason}") from None
    return {address: _masked(_reply(*reply), server) for address, reply in refused.items()}


def _connect(server: MailServer) -> "smtplib.SMTP":
    import smtplib
    import ssl

    context: ssl.SSLContext = ssl.create_default_context()
    if not server.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port or 0, timeout=server.timeout, context=context)
    connection = smtplib.SMTP(server.host, server.port or 0, timeout=server.timeout)
    try:
        connection.ehlo()
        if server.security == "starttls" or (
            server.security == "starttls_if_offered" and connection.has_extn("starttls")
        ):
            connection.starttls(context=context)
            connection.ehlo()
    except BaseException:
        connection.close()
        raise
    return connection


def _masked(text: str, server: MailServer) -> str:
    return text.replace(server.password, "***") if server.password else text


def _reason(error: Exception) -> str:
    """Return a readable message for an error."""
    import smtplib

    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{address}: {_reply(*reply)}" for address, reply in error.recipients.items())
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(error.smtp_code, error.smtp_error)
    return str(error) or type(error).__name__


def _reply(code: int, text: bytes | str) -> str:
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(decoded.split())[:500]}".strip()
