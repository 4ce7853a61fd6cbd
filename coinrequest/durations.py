"""Durations as people write them: `30s`, `5m`, `1h30m`, `2d`."""

import re
from datetime import timedelta

from coinrequest.errors import CoinrequestError

MAX_DURATION = timedelta(days=365)
DURATION_PATTERN = r"^(?:\d{1,9}d)?(?:\d{1,9}h)?(?:\d{1,9}m)?(?:\d{1,9}s)?$"

_DURATION = re.compile(
    r"(?:(?P<days>\d{1,9})d)?(?:(?P<hours>\d{1,9})h)?(?:(?P<minutes>\d{1,9})m)?(?:(?P<seconds>\d{1,9})s)?",
    re.ASCII,
)


class DurationInvalid(CoinrequestError, ValueError):
    """The text is not a duration, or the duration is too long."""


def parse_duration(text: str, longest: timedelta = MAX_DURATION) -> timedelta:
    """Parse a duration.

    Args:
        text: whole numbers with the units d, h, m and s, the largest unit first, each at most once, without spaces.
        longest: the longest duration to accept.

    Raises:
        DurationInvalid: the text is not a duration, or the duration is longer than `longest`.
    """
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise DurationInvalid("must be a duration such as 30s, 5m, 1h30m or 2d")
    try:
        duration = timedelta(**{unit: int(number) for unit, number in match.groupdict().items() if number})
    except OverflowError:
        duration = None
    if duration is None or duration > longest:
        raise DurationInvalid(f"must be a duration of at most {longest.days}d")
    return duration


def format_duration(duration: timedelta) -> str:
    """Return the shortest text for a duration that `parse_duration` accepts, without fractions of seconds.

    Raises:
        ValueError: the duration is negative.
    """
    if duration < timedelta(0):
        raise ValueError("a duration cannot be negative")
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((duration.days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
