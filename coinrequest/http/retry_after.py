"""The header `Retry-After` (RFC 9110, 10.2.3)."""

from datetime import UTC, datetime

LONGEST_SECONDS = 86_400.0


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds for which a server asks not to be called again.

    Args:
        value: the value of the header, a number of seconds or a date; None if there is no such header.
        now: the current time, with a time zone.

    Returns:
        Seconds from now, at most a day; None if there is no header or it cannot be parsed.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_SECONDS)
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_SECONDS)
