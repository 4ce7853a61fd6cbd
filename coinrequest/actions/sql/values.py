"""Converts the values of a database to JSON data."""

import base64
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any


def json_ready(value: Any) -> Any:
    """Convert a value to JSON data without losing precision.

    Texts, integers, floats, booleans and null are unchanged, also inside lists and documents. Decimals become the text
    of their digits, times become ISO 8601 (with the offset if there is one), intervals become ISO 8601 durations, and
    bytes become base64 (RFC 4648, 4). Other values, such as UUIDs, addresses and ranges, become their text in Python.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            # JSON has no infinity and no NaN.
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
    return f"{sign}P{rest.days}DT{seconds_text(timedelta(0, rest.seconds, rest.microseconds))}S"


def seconds_text(value: timedelta) -> str:
    """Return the seconds of a time difference, without rounding."""
    seconds = value.days * 86_400 + value.seconds + Decimal(value.microseconds) / 1_000_000
    return f"{seconds.normalize():f}"
