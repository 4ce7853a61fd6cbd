"""Connections to the broker: RabbitMQ (`amqp://`, `amqps://`) or Redis (`redis://`, `rediss://`), by kombu."""

import functools
import re
from typing import Any

from kombu import Connection  # noqa: TID253 - no task loads this module
from kombu.exceptions import KombuError  # noqa: TID253

CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 10.0

_REDIS = {
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_timeout": _ANSWER_SECONDS,
    "socket_keepalive": True,
    # Seconds beyond a wait after which a connection that says nothing is dropped: Redis leaves those who wait without
    # an answer when another server becomes the leader.
    "health_check_interval": 5,
}

# Bytes of a message that are taken into memory, unless a reader says otherwise: results have up to 256 KiB.
LARGEST_MESSAGE = 512 * 1024
# On Redis a body is base64, or JSON in JSON, in which a character of two bytes has six; and headers stand beside it.
_ENVELOPE_FACTOR, _ENVELOPE_BYTES = 3, 16 * 1024

# Seconds after which Redis gives a message that was not acknowledged to another gateway. RabbitMQ knows at once when a
# connection is gone.
VISIBILITY_SECONDS = 60


class ChannelUnavailable(ConnectionError):
    """The broker does not answer, or did not confirm; the same call later may succeed."""


def connect(
    url: str,
    *,
    name: str,
    heartbeat: int = 0,
    visibility: float = VISIBILITY_SECONDS,
    largest: int = LARGEST_MESSAGE,
) -> Connection:
    """Return a connection that is opened when it is used first.

    Args:
        url: of the broker.
        name: shown by RabbitMQ beside the connection.
        heartbeat: seconds between two signs of life on RabbitMQ; whoever asks for them calls `heartbeat_check`.
        visibility: seconds until Redis gives an unacknowledged message to another consumer.
        largest: bytes of a body that is read whole; a larger message has a fault, and its beginning.
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
    """Return what a connection raises when the broker is away, closes it, or refuses something."""
    return (*connection.connection_errors, *connection.channel_errors, KombuError, OSError)


def without_password(text: object) -> str:
    """Return a URL, or a text with URLs, with `**` in the place of passwords."""
    return re.sub(r"(://[^:/@\s]*):[^@/\s]+@", r"\1:**@", str(text))


def is_amqp(connection: Connection) -> bool:
    """Return whether the broker speaks AMQP, which has heartbeats and confirms."""
    return bool(connection.transport.driver_type == "amqp")
