"""Connections to the broker, RabbitMQ (`amqp://`, `amqps://`) or Redis (`redis://`, `rediss://`), with kombu."""

import functools
import re
from typing import Any

from kombu import Connection  # noqa: TID253 - no task loads this module
from kombu.exceptions import KombuError  # noqa: TID253

from coinrequest.errors import CoinrequestError

CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 10.0

_REDIS = {
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_timeout": _ANSWER_SECONDS,
    "socket_keepalive": True,
    # Seconds after which a silent connection is dropped. When another server becomes the leader, Redis never answers
    # the clients that wait.
    "health_check_interval": 5,
}

# The default maximum size of a message in bytes; results have up to 256 KiB.
LARGEST_MESSAGE = 512 * 1024
# On Redis, the envelope has headers, and a body in base64 or in JSON strings, whose escapes take six bytes for two.
_ENVELOPE_FACTOR, _ENVELOPE_BYTES = 3, 16 * 1024

# Seconds after which Redis delivers an unacknowledged message to another gateway. RabbitMQ notices a lost connection
# at once.
VISIBILITY_SECONDS = 60


class ChannelUnavailable(CoinrequestError, ConnectionError):
    """The broker cannot be reached, or did not confirm a message; a later attempt may succeed."""


def connect(
    url: str,
    *,
    name: str,
    heartbeat: int = 0,
    visibility: float = VISIBILITY_SECONDS,
    largest: int = LARGEST_MESSAGE,
) -> Connection:
    """Return a connection that is opened on first use.

    Args:
        url: the URL of the broker.
        name: the name of the connection in RabbitMQ.
        heartbeat: seconds between heartbeats on RabbitMQ; the caller must then call `heartbeat_check`.
        visibility: seconds until Redis delivers an unacknowledged message to another consumer.
        largest: the maximum size of a body in bytes; a larger message has a fault, and only its beginning is kept.
    """
    options: dict[str, Any] = {}
    transport: Any = None
    if url.startswith(("redis://", "rediss://")):
        from coinrequest.channel.redis_transport import Transport

        transport = Transport
        envelope = largest * _ENVELOPE_FACTOR + _ENVELOPE_BYTES
        options = {**_REDIS, "visibility_timeout": visibility, "largest_message": envelope}
    elif url.startswith(("amqp://", "amqps://", "pyamqp://")):
        from coinrequest.channel import amqp_transport

        transport = amqp_transport.SecureTransport if url.startswith("amqps") else amqp_transport.Transport
        options = {
            "frame_handler": functools.partial(amqp_transport.frame_handler, largest=largest),
            "confirm_publish": True,
            "write_timeout": _ANSWER_SECONDS,
            "client_properties": {"connection_name": name},
        }
    return Connection(
        url, transport=transport, transport_options=options, connect_timeout=CONNECT_SECONDS, heartbeat=heartbeat
    )


def broker_errors(connection: Connection) -> tuple[type[BaseException], ...]:
    """Return the exceptions of a connection: those of a lost connection, and those of refused operations."""
    return (*connection.connection_errors, *connection.channel_errors, KombuError, OSError)


def without_password(text: object) -> str:
    """Replace the passwords in URLs by `**`."""
    return re.sub(r"(://[^:/@\s]*):[^@/\s]+@", r"\1:**@", str(text))


def is_amqp(connection: Connection) -> bool:
    """Return whether the broker uses AMQP, which has heartbeats and confirms."""
    return bool(connection.transport.driver_type == "amqp")
