"""Durations as people write them: `30s`, `5m`, `1h30m`, `2d`."""

import re
from datetime import timedelta

MAX_DURATION = timedelta(days=365)
DURATION_PATTERN = r"^(?:\d{1,9}d)?(?:\d{1,9}h)?(?:\d{1,9}m)?(?:\d{1,9}s)?$"

_DURATION = re.compile(
    r"(?:(?P<days>\d{1,9})d)?(?:(?P<hours>\d{1,9})h)?(?:(?P<minutes>\d{1,9})m)?(?:(?P<seconds>\d{1,9})s)?",
    re.ASCII,
)


class DurationInvalid(ValueError):
    """A text is not a duration, or is one of more than a year; the message says how to write one."""


def parse_duration(text: str) -> timedelta:
    """Read a duration.

    Args:
        text: whole numbers with the units d, h, m and s, largest unit first, each at most once, no spaces.

    Returns:
        Zero to 365 days.

    Raises:
        DurationInvalid: anything else.
    """
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise DurationInvalid("write a duration such as 30s, 5m, 1h30m or 2d")
    duration = timedelta(**{unit: int(number) for unit, number in match.groupdict().items() if number})
    if duration > MAX_DURATION:
        raise DurationInvalid(f"a duration is at most {MAX_DURATION.days}d")
    return duration


def format_duration(duration: timedelta) -> str:
    """Write a duration in the shortest form that `parse_duration` reads back; fractions of seconds are cut.

    Raises:
        ValueError: the duration is negative.
    """
    if duration < timedelta(0):
        raise ValueError("a duration is not negative")
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((duration.days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
