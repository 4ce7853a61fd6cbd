"""The outcome of one attempt to deliver a notice."""

from dataclasses import dataclass
from datetime import datetime

# Bytes of a response, or characters of an error, that are kept.
KEPT = 1024


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one attempt.

    Attributes:
        delivered: whether the receiver accepted the notice.
        status: of the HTTP response.
        error: why the notice was not delivered, without secrets.
        response: the beginning of the response.
        retry_at: the earliest time at which the receiver wants another attempt, with a zone.
        gone: whether the receiver wants no further attempts.
        answered: whether the receiver responded; one that does not gets fewer notices at a time.
        remaining: the destination of the next attempt, if a part of the current one has been served.
    """

    delivered: bool = False
    status: int | None = None
    error: str | None = None
    response: str | None = None
    retry_at: datetime | None = None
    gone: bool = False
    answered: bool = True
    remaining: str | None = None


def storable(text: str | None) -> str | None:
    """Return the beginning of a text, without the NUL and lone surrogates that PostgreSQL does not store."""
    return None if text is None else text[:KEPT].replace("\x00", "\ufffd").encode(errors="replace").decode()
