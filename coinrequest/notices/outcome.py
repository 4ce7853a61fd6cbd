"""What came of one attempt to deliver a notice."""

from dataclasses import dataclass
from datetime import datetime

# Of an answer, or of an error's text, no more is kept.
KEPT = 1024


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One attempt.

    Attributes:
        delivered: whether the receiver took the notice.
        status: of an HTTP answer.
        error: why it was not delivered; it holds no secret.
        response: the beginning of the answer.
        retry_at: before which the receiver wants no other attempt, with a zone.
        gone: the receiver wants no further attempt at all.
        answered: whether the receiver said anything; one that is silent is given fewer notices at a time.
        remaining: the notice's destination from now on, where a part of it has been served.
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
    """Return the beginning of a text, as PostgreSQL can hold it: without NUL and lone surrogates."""
    return None if text is None else text[:KEPT].replace("\x00", "\ufffd").encode(errors="replace").decode()
