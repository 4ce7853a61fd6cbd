"""The AMQP transport of kombu (kombu 5.7, py-amqp 5.4), hardened against hostile messages.

py-amqp assembles a message of any size in memory, up to the `max_message_size` of the broker. It raises an error if a
property is not UTF-8 or a table is nested deeply, and the message is then delivered again and again. This transport
keeps no more of a body than the consumer accepts, and drops properties that cannot be parsed.
"""

from collections.abc import Callable
from struct import unpack_from
from typing import Any

import amqp
from amqp import spec
from amqp.exceptions import UnexpectedFrame
from kombu.transport import pyamqp  # noqa: TID253

from coinrequest.channel.incoming import KEPT_BYTES, IncomingMessage

_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_WITH_CONTENT = (spec.Basic.Return, spec.Basic.Deliver, spec.Basic.GetOk)


class _Incoming(amqp.Message):  # type: ignore[misc]
    """A message that is being received.

    Args:
        largest: the maximum size in bytes.
    """

    def __init__(self, largest: int, **frame: Any) -> None:
        super().__init__(**frame)
        self.fault: str | None = None
        self._largest = largest
        self._kept = 0

    def inbound_header(self, buf: Any, offset: int = 0) -> int:
        try:
            super().inbound_header(buf, offset)
        except Exception as error:  # a malformed header can raise any error
            self.properties: dict[str, Any] = {}
            self.ready = not self.body_size
            self.fault = f"the properties or headers cannot be parsed ({type(error).__name__})"
        if self.body_size > self._largest:
            self.fault = f"the message has {self.body_size} bytes; the limit is {self._largest}"
        return offset

    def inbound_body(self, buf: Any) -> None:
        if self.body_size <= self._largest:
            super().inbound_body(buf)
            return
        self.body_received += len(buf)
        if self._kept < KEPT_BYTES:
            self._pending_chunks.append(bytes(buf[: KEPT_BYTES - self._kept]))
            self._kept += len(self._pending_chunks[-1])
        if self.body_received >= self.body_size:
            self.body = b"".join(self._pending_chunks)
            self.ready = True


def frame_handler(
    connection: Any, callback: Callable[[int, Any, Any, Any], Any], *, largest: int
) -> Callable[[Any], bool]:
    """Return the function that py-amqp calls for each frame: `amqp.method_framing.frame_handler` with a size limit.

    Args:
        connection: the connection of py-amqp.
        callback: called with each complete method: channel, method number, arguments and message.
        largest: the maximum size of a message in bytes; only the beginning of a larger one is kept.
    """
    partial: dict[int, _Incoming] = {}

    def on_frame(frame: Any) -> bool:
        kind, channel, buf = frame
        connection.bytes_recv += 1
        if kind == _HEARTBEAT:
            return False
        message = partial.get(channel)
        # The header comes first. An empty message is complete with its header.
        expected = _METHOD if message is None else _BODY if message.body_size else _HEADER
        if kind != expected:
            raise UnexpectedFrame(f"Received frame {kind} while expecting type: {expected}")
        if message is None:
            method = unpack_from(">HH", buf, 0)
            if method not in _WITH_CONTENT:
                callback(channel, method, buf, None)
                return True
            partial[channel] = _Incoming(largest, frame_method=method, frame_args=buf)
            return False
        if kind == _HEADER:
            message.inbound_header(buf)
        else:
            message.inbound_body(buf)
        if not message.ready:
            return False
        del partial[channel]
        callback(channel, message.frame_method, message.frame_args, message)
        return True

    return on_frame


class Message(IncomingMessage):
    """A message received over AMQP."""

    def __init__(self, raw: Any, channel: Any = None, **rest: Any) -> None:
        properties = raw.properties
        super().__init__(
            raw.body.encode() if isinstance(raw.body, str) else bytes(raw.body),
            headers=properties.get("application_headers"),
            content_type=properties.get("content_type"),
            content_encoding=properties.get("content_encoding"),
            fault=raw.fault,
            channel=channel,
            delivery_tag=raw.delivery_info["delivery_tag"],
            delivery_info=raw.delivery_info,
            **rest,
        )


class Channel(pyamqp.Channel):  # type: ignore[misc]
    """The channel of kombu with these messages. It does not decode bodies: py-amqp would use any codec they name."""

    Message = Message

    def __init__(self, *positional: Any, **named: Any) -> None:
        super().__init__(*positional, **{**named, "auto_decode": False})


class Connection(pyamqp.Connection):  # type: ignore[misc]
    """The connection of py-amqp with this channel."""

    Channel = Channel


class Transport(pyamqp.Transport):  # type: ignore[misc]
    """The transport of kombu with this connection."""

    Connection = Connection


class SecureTransport(pyamqp.SSLTransport):  # type: ignore[misc]
    """The same transport over TLS."""

    Connection = Connection
