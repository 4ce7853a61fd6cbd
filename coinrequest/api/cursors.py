"""Cursors of lists: where a page ended, as a text that means nothing to the caller."""

import base64
import binascii
import json

from coinrequest.errors import FieldError, FieldErrors


class CursorInvalid(FieldErrors):
    """The cursor was not made by this service."""

    def __init__(self) -> None:
        super().__init__([FieldError("cursor", "is not one of ours; take `next_cursor` of a page unchanged")])


def encode(*position: str) -> str:
    """Return the cursor for a position."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> tuple[str, ...]:
    """Return the position of `length` texts that `encode` made the cursor from.

    Raises:
        CursorInvalid: it did not.
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
