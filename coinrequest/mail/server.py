"""Handing a message to an SMTP server."""

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
        host: name or address.
        port: 1 to 65535; None: 465 with `tls`, otherwise 25.
        security: `tls` from the first byte (RFC 8314), `starttls` or nothing, `starttls_if_offered`, or `none`.
        login: a user's name; empty: nobody signs in.
        password: the secret that goes with it.
        sender: the address that mails are from; empty: the configured one.
        timeout: seconds that each answer of the server may take.
        verify: whether its certificate is verified.
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
        """Return host and port, for texts."""
        return f"{self.host}:{self.port or (465 if self.security == 'tls' else 25)}"


def parse_server_url(url: str) -> MailServer:
    """Read the URL of a server: `smtp://[user:password@]host[:port]`, or `smtps://...` for TLS from the first byte.

    Raises:
        MailFailed: it is none.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or port == 0:
        # The URL holds a password, so it is not shown.
        raise MailFailed("COINREQUEST_SMTP_URL must look like smtp://user:password@host:port, or smtps://...")
    return MailServer(
        host=parts.hostname,
        port=port,
        security="tls" if parts.scheme == "smtps" else "starttls_if_offered",
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def deliver(message: "EmailMessage", sender: str, recipients: Sequence[str], server: MailServer) -> Mapping[str, str]:
    """Hand a message to a server.

    Args:
        message: what to send.
        sender: the address that the server's complaints go to.
        recipients: at least one address.
        server: who takes it.

    Returns:
        The recipients that the server refused, and its words; it took the mail for all others.

    Raises:
        MailFailed: it could not be reached in time, did not let us in, or took the mail for nobody.
    """
    import smtplib

    try:
        with contextlib.closing(_connect(server)) as connection:
            if server.login:
                connection.login(server.login, server.password)
            refused = connection.send_message(message, sender, list(recipients))
            # The mail is taken, whatever the server says to this.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                connection.quit()
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        # Without its cause: a server's words can repeat the password.
        words = _hidden(_words(error), server)
        raise MailFailed(f"the mail server {server.address} did not take the mail: {words}") from None
    return {address: _hidden(_answer(*answer), server) for address, answer in refused.items()}


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


def _hidden(words: str, server: MailServer) -> str:
    return words.replace(server.password, "***") if server.password else words


def _words(error: Exception) -> str:
    """Return what a person can read of an error."""
    import smtplib

    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{address}: {_answer(*answer)}" for address, answer in error.recipients.items())
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    return str(error) or type(error).__name__


def _answer(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())[:500]}".strip()
