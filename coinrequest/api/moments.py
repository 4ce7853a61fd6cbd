"""Times in a query: ISO 8601, or how long ago."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from coinrequest.durations import DurationInvalid, parse_duration
from coinrequest.times import nearest_in_utc

_LONGEST = 60
_WORDS = (
    "must be a time such as 2030-01-31T08:00:00+01:00 (without a zone it is UTC), or a duration until now such as 2d"
)


def moment(text: str) -> datetime:
    """Return the time in UTC that a person means.

    Args:
        text: ISO 8601, with a zone or in UTC, or the time since then, such as `2d` or `1h30m`. A `+` that was not
            escaped, and so reached us as a space, is one.

    Raises:
        ValueError: it is neither.
    """
    text = text.strip()[:_LONGEST]
    try:
        return datetime.now(UTC) - parse_duration(text)
    except DurationInvalid as error:
        # Longer than a year: a duration nevertheless.
        if text.endswith(("d", "h", "m", "s")):
            raise ValueError(str(error)) from None
    before, space, zone = text.rpartition(" ")
    if space and ":" in before:
        text = f"{before}+{zone}"
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(_WORDS) from None
    return nearest_in_utc(time if time.tzinfo else time.replace(tzinfo=UTC))


Moment = Annotated[
    datetime,
    PlainValidator(moment),
    WithJsonSchema({"type": "string", "examples": ["2030-01-31T08:00:00+01:00", "2030-01-31", "2d", "1h30m"]}),
]
