"""What others publish, made harmless: nothing is decompressed or decoded, and all that stands around a body is small.

kombu decompresses whatever a header asks for, with any algorithm and to any size, before anybody can look at it.
"""

import itertools
import json
import math
from collections.abc import Mapping
from typing import Any

from kombu.message import Message  # noqa: TID253 - no task loads this module

# So much is kept of a message that is larger than its reader takes.
KEPT_BYTES = 4096

# What the platform sends, and what says nothing.
CONTENT_ENCODINGS = ("utf-8", "binary", "")
_MOST_HEADERS = 32
_LONGEST_NAME = 100
_LONGEST_VALUE = 1000
# The widest integer that an AMQP table holds.
_INTEGERS = range(-(2**63), 2**63)
# Headers that make kombu decompress, that make RabbitMQ deliver to further queues, and the one that we add ourselves.
_MEANINGFUL = ("compression", "cc", "bcc", "x-reason")


class IncomingMessage(Message):  # type: ignore[misc]
    """A message as it came.

    Attributes:
        body: as it was sent, at most as much of it as its reader takes.
        headers: at most a few dozen, of plain values; those that would have an effect on a broker or on kombu are
            renamed to `original-...`.
        fault: why the body must not be read; None: it may be.
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
        # Without its headers, so that kombu finds nothing to decompress.
        super().__init__(
            body=body,
            content_type=None if content_type is None else safe_name(content_type),
            content_encoding=None if content_encoding is None else safe_name(content_encoding),
            **rest,
        )
        self.headers = safe_headers(headers)
        self.fault = fault or _fault(headers, self.content_encoding)


def safe_text(value: object, longest: int) -> str:
    """Return a text that every broker and every encoding takes, at most so many characters of it."""
    text = str(value) if isinstance(value, str | int | float) else f"({type(value).__name__})"
    return text[:longest].encode("utf-8", "replace").decode()


def safe_headers(headers: object) -> dict[str, Any]:
    """Return headers as a table that every broker takes, and that has no effect."""
    if not isinstance(headers, Mapping):
        return {}
    return {_header_name(name): _plain(value) for name, value in itertools.islice(headers.items(), _MOST_HEADERS)}


def safe_name(value: object) -> str:
    """Return a name that is short and ASCII, as a content type and the name of a header have to be."""
    return ascii(safe_text(value, _LONGEST_NAME))[1:-1][:_LONGEST_NAME]


def _header_name(name: object) -> str:
    plain = safe_name(name)
    return f"original-{plain}" if plain.lower() in _MEANINGFUL else plain


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value in _INTEGERS:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str):
        return safe_text(value, _LONGEST_VALUE)
    try:
        return safe_text(json.dumps(value, default=repr), _LONGEST_VALUE)
    except (TypeError, ValueError, RecursionError):
        return f"({type(value).__name__})"


def _fault(headers: object, content_encoding: str | None) -> str | None:
    if headers and not isinstance(headers, Mapping):
        return "the headers are no table; send an object, or none"
    if isinstance(headers, Mapping) and headers.get("compression") is not None:
        return "the message is compressed (header 'compression'); send it as it is"
    if (content_encoding or "").lower() not in CONTENT_ENCODINGS:
        return f"the content encoding {content_encoding!r} is not read; send utf-8"
    return None
