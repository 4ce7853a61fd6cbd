"""What a database answers, as plain JSON."""

import base64
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any


class UnsupportedValue(ValueError):
    """A value has no form in JSON; the message says which kind it is."""


def json_ready(value: Any) -> Any:
    """Return a value of a row as JSON can hold it, without losing a digit.

    Text, whole and floating numbers, booleans and null stay what they are, also inside lists and documents. A decimal
    number is written in digits, a time in ISO 8601 (with its offset if it has one), an interval as an ISO 8601
    duration, bytes in base64 (RFC 4648, 4), and everything else, such as a UUID, an address or a range, as the text
    that it has in Python.

    Raises:
        UnsupportedValue: a NUL character, which the platform's own database cannot store.
    """
    match value:
        case None | bool() | int():
            return value
        case str():
            if "\x00" in value:
                raise UnsupportedValue("text with a NUL character")
            return value
        case float():
            # JSON has neither infinity nor NaN.
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return _duration(value)
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case list() | tuple() | set() | frozenset():
            return [json_ready(item) for item in value]
        case Mapping():
            return {json_ready(str(key)): json_ready(item) for key, item in value.items()}
        case _:
            return json_ready(str(value))


def _duration(value: timedelta) -> str:
    sign, rest = ("-", -value) if value < timedelta() else ("", value)
    seconds = Decimal(rest.seconds) + Decimal(rest.microseconds) / 1_000_000
    return f"{sign}P{rest.days}DT{seconds.normalize():f}S"
