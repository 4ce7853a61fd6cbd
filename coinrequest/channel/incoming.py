"""Incoming messages, made safe: bodies are neither decompressed nor decoded, and headers are limited.

kombu would decompress any body whose header asks for it, with any algorithm and to any size, before it can be checked.
"""

import itertools
import json
import math
from collections.abc import Mapping
from typing import Any

from kombu.message import Message  # noqa: TID253 - no task loads this module

# The number of bytes that are kept of a message that is too large.
KEPT_BYTES = 4096

# The encodings that the platform sends, and those without a meaning.
CONTENT_ENCODINGS = ("utf-8", "binary", "")
_MAX_HEADERS = 32
_MAX_NAME_LENGTH = 100
_MAX_VALUE_LENGTH = 1000
# The integers that an AMQP table can contain.
_INTEGERS = range(-(2**63), 2**63)
# These make kombu decompress a body or RabbitMQ deliver to further queues; `x-reason` is our own.
_RESERVED_HEADERS = ("compression", "cc", "bcc", "x-reason")


class IncomingMessage(Message):  # type: ignore[misc]
    """A message as it was sent.

    Attributes:
        body: the body, or its beginning if it is too large.
        headers: a limited number of headers with simple values; headers that have a meaning for a broker or for kombu
            are renamed to `original-...`.
        fault: why the body must not be used; None if it may be.
    """

    def __init__(
        self,
        body: bytes,
        *,
        headers: object = None,
        content_type: object = None,
        content_encoding: object = None,
        fault: str | None = None,
        **rest: Any,
    ) -> None:
        # Without the headers, so that kombu finds nothing to decompress.
        super().__init__(
            body=body,
            content_type=None if content_type is None else safe_name(content_type),
            content_encoding=None if content_encoding is None else safe_name(content_encoding),
            **rest,
        )
        self.headers = safe_headers(headers)
        self.fault = fault or _fault(headers, self.content_encoding)


def safe_text(value: object, longest: int) -> str:
    """Convert a value to a text that every broker accepts, and truncate it to a number of characters."""
    text = str(value) if isinstance(value, str | int | float) else f"({type(value).__name__})"
    return text[:longest].encode("utf-8", "replace").decode()


def safe_headers(headers: object) -> dict[str, Any]:
    """Convert headers to a table that every broker accepts and that has no effect."""
    if not isinstance(headers, Mapping):
        return {}
    return {_header_name(name): _safe_value(value) for name, value in itertools.islice(headers.items(), _MAX_HEADERS)}


def safe_name(value: object) -> str:
    """Convert a name to short ASCII, as content types and header names must be."""
    return ascii(safe_text(value, _MAX_NAME_LENGTH))[1:-1][:_MAX_NAME_LENGTH]


def _header_name(name: object) -> str:
    safe = safe_name(name)
    return f"original-{safe}" if safe.lower() in _RESERVED_HEADERS else safe


def _safe_value(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value in _INTEGERS:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str):
        return safe_text(value, _MAX_VALUE_LENGTH)
    try:
        return safe_text(json.dumps(value, default=repr), _MAX_VALUE_LENGTH)
    except (TypeError, ValueError, RecursionError):
        return f"({type(value).__name__})"


def _fault(headers: object, content_encoding: str | None) -> str | None:
    if headers and not isinstance(headers, Mapping):
        return "the headers are not a table; send an object, or none"
    if isinstance(headers, Mapping) and headers.get("compression") is not None:
        return "the message is compressed (header 'compression'); send it uncompressed"
    if (content_encoding or "").lower() not in CONTENT_ENCODINGS:
        return f"the content encoding {content_encoding!r} is not supported; send utf-8"
    return None
