"""Pagination cursors: the position where a page ended, as opaque text."""

import base64
import binascii
import json

from coinrequest.errors import FieldError, FieldErrors


class CursorInvalid(FieldErrors):
    """The cursor was not issued by this API."""

    def __init__(self) -> None:
        super().__init__([FieldError("cursor", "is invalid; use the `next_cursor` of the previous page")])


def encode(*position: str) -> str:
    """Return the cursor for a position."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> tuple[str, ...]:
    """Return the position that a cursor stands for, which has `length` parts.

    Raises:
        CursorInvalid: `encode` did not make it.
    """
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise CursorInvalid from None
    if (
        not isinstance(position, list)
        or len(position) != length
        or not all(isinstance(part, str) and part.isprintable() for part in position)
    ):
        raise CursorInvalid
    return tuple(position)
