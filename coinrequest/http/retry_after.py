"""How long to wait before a source is asked again."""

import random
from datetime import UTC, datetime

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 2.0
LONGEST_RETRY_AFTER_SECONDS = 86_400.0


def backoff(failures: int) -> float:
    """Return seconds between zero and a limit that doubles with each failure ("full jitter").

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

    Args:
        failures: how often it failed, from 1.
    """
    return random.uniform(0, min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (failures - 1)))  # noqa: S311 - no secret


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110, 10.2.3): seconds, or a date.

    Args:
        value: of the header; None: there was none.
        now: with a time zone.

    Returns:
        Seconds from now, a day at most; None: there is no header, or it cannot be understood.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_RETRY_AFTER_SECONDS)
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER_SECONDS)
