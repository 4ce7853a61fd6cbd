"""Converts a connection to a mail server.

It supports the options of Airflow's SMTP provider:
https://airflow.apache.org/docs/apache-airflow-providers-smtp/stable/connections/smtp.html
"""

from collections.abc import Mapping
from typing import Any

from coinrequest.actions.context import Connection, ConnectionUnavailable
from coinrequest.mail import MailInvalid, MailServer, Security, check_address

KINDS = ("smtp", "email")

_TIMEOUT_SECONDS = 30.0
_MAX_TIMEOUT_SECONDS = 300.0


def mail_server(connection: Connection) -> MailServer:
    """Return the mail server of a connection.

    It uses implicit TLS; STARTTLS if `disable_ssl` is set; and no encryption if `disable_tls` is set as well. If the
    server does not support the encryption, sending fails.

    Raises:
        ConnectionUnavailable: the connection has another type, no host, or an unsupported option.
    """
    name, options = connection.name, connection.options
    if connection.kind not in KINDS:
        raise ConnectionUnavailable(
            f"connection {name!r} has the type {connection.kind!r}; sending mail needs a connection of type smtp"
        )
    if not connection.host:
        raise ConnectionUnavailable(f"connection {name!r} has no host")
    if options.get("auth_type", "basic") != "basic":
        raise ConnectionUnavailable(f"connection {name!r}: auth_type must be basic, with a login and a password")
    if options.get("ssl_context", "default") not in {"default", "none"}:
        raise ConnectionUnavailable(f"connection {name!r}: ssl_context must be default or none")
    sender = str(options.get("from_email") or "")
    try:
        if sender:
            check_address(sender)
    except MailInvalid as error:
        raise ConnectionUnavailable(f"connection {name!r}: from_email {error}") from error
    security: Security = "tls"
    if _is_set(options, "disable_ssl"):
        security = "none" if _is_set(options, "disable_tls") else "starttls"
    return MailServer(
        host=connection.host,
        port=connection.port,
        security=security,
        login=connection.login,
        password=connection.password,
        sender=sender,
        timeout=_timeout(connection),
        verify=options.get("ssl_context", "default") != "none",
    )


def _is_set(options: Mapping[str, Any], name: str) -> bool:
    """Parse a boolean option, which is a text if the connection was defined by a URL."""
    value = options.get(name, False)
    return value.strip().lower() in {"1", "true", "yes", "on"} if isinstance(value, str) else bool(value)


def _timeout(connection: Connection) -> float:
    try:
        seconds = float(connection.options.get("timeout") or _TIMEOUT_SECONDS)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds <= _MAX_TIMEOUT_SECONDS:
        raise ConnectionUnavailable(
            f"connection {connection.name!r}: timeout must be above 0 and at most {_MAX_TIMEOUT_SECONDS:g} seconds"
        )
    return seconds
