"""Values of PostgreSQL that Python's types cannot hold.

Such a value is loaded as the text that PostgreSQL shows: `infinity`, `0044-03-15 BC` or `24:00:00`. Intervals keep
their months, for which psycopg takes 30 days. Numbers in documents keep all their digits.
"""

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.abc import Buffer, Loader
from psycopg.types import datetime as times
from psycopg.types.json import set_json_loads

from coinrequest.actions.sql.values import seconds_text

_CALENDAR = re.compile(r"(?:(-?\d+) years? ?)?(?:(-?\d+) mons? ?)?(?:([+-]?\d+) days? ?)?", re.ASCII)
# Python reads and writes no integer with more digits (`sys.set_int_max_str_digits`).
_MOST_DIGITS = 4_300


class _OrText(Loader):
    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)  # type: ignore[safe-super]
        except (psycopg.Error, ValueError, OverflowError):
            return bytes(data).decode()


class _Date(_OrText, times.DateLoader):
    pass


class _Time(_OrText, times.TimeLoader):
    pass


class _TimeTz(_OrText, times.TimetzLoader):
    pass


class _Timestamp(_OrText, times.TimestampLoader):
    pass


class _TimestampTz(_OrText, times.TimestamptzLoader):
    pass


class _Interval(_OrText, times.IntervalLoader):
    def load(self, data: Buffer) -> Any:
        text = bytes(data).decode()
        found = _CALENDAR.match(text)
        years, months, days = found.groups() if found else (None, None, None)
        if found is None or not (years or months):
            return super().load(data)
        time = super().load(text[found.end() :].encode() or b"00:00:00")
        if not isinstance(time, timedelta):
            return text
        # An ISO 8601 duration, in which each part has its own sign.
        parts = zip((years, months, days), "YMD", strict=True)
        return f"P{''.join(f'{int(part)}{unit}' for part, unit in parts if part)}T{seconds_text(time)}S"


def load_exactly(connection: Any) -> None:
    """Let a connection load every value without losing anything."""
    adapters = connection.adapters
    for name, loader in (
        ("date", _Date),
        ("time", _Time),
        ("timetz", _TimeTz),
        ("timestamp", _Timestamp),
        ("timestamptz", _TimestampTz),
        ("interval", _Interval),
    ):
        adapters.register_loader(name, loader)
    set_json_loads(_load_document, connection)


def _load_document(text: str | bytes) -> Any:
    return json.loads(text, parse_float=_number, parse_int=_integer)


def _number(text: str) -> float | Decimal:
    """Return a float if it holds the number exactly as it is written, else a decimal."""
    number, exact = float(text), Decimal(text)
    return number if Decimal(repr(number)) == exact else exact


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MOST_DIGITS else Decimal(text)
