"""Reads values that somebody may have edited by hand, in Airflow or in the database: a bad row spoils no other.

For JSON that is nested too deep, a number of 5,000 digits or a time that Python cannot represent, the driver would
raise for the whole page of rows. So JSON is read as text and parsed here, and the database clamps times.
"""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Text, case, cast, func, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from coinrequest.errors import CoinrequestError

# An answer cannot be nested deeper: pydantic allows 255 levels, with what stands around the value.
MAX_DEPTH = 200
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)


class Unreadable(CoinrequestError, ValueError):
    """A text is not JSON, or not JSON that an answer can hold."""


def read_json(text: str) -> Any:
    """Return what a JSON text holds, as any JSON reader understands it: NaN is null, half a surrogate pair is `?`.

    Raises:
        Unreadable: it is not JSON, nested deeper than 200 levels, or has a number of thousands of digits.
    """
    try:
        value = json.loads(text, parse_constant=lambda _: None)
        if _may_be_deep(text) and _depth(value) > MAX_DEPTH:
            raise Unreadable(f"it is nested deeper than {MAX_DEPTH} levels")
        if "\\u" in text:
            value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    except RecursionError:
        raise Unreadable(f"it is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise Unreadable(f"it is not JSON: {error}"[:200]) from None
    return value


def unreadable(what: str) -> dict[str, str]:
    """Return what an answer shows in place of a stored value that cannot be read."""
    return {"unreadable": f"The stored {what} cannot be read; somebody may have changed it"}


def bounded_time(expression: str) -> str:
    """Return SQL that clamps the time of an SQL expression to what Python can represent."""
    bounded = f"least(greatest({expression}, '{EARLIEST.isoformat()}'), '{LATEST.isoformat()}')"
    return f"CASE WHEN {expression} IS NOT NULL THEN {bounded} END"


def _may_be_deep(text: str) -> bool:
    return text.count("[") + text.count("{") > MAX_DEPTH


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [inner for outer in level if isinstance(outer, dict | list) for inner in _inside(outer)]:
        depth += 1
    return depth


def _inside(outer: Any) -> Any:
    return outer.values() if isinstance(outer, dict) else outer


class StoredJson(TypeDecorator[Any]):
    """A JSONB column; a value that cannot be read becomes an `Unreadable`."""

    impl = JSONB(none_as_null=True)
    cache_ok = True

    def column_expression(self, column: Any) -> Any:
        """Select it as text."""
        return type_coerce(cast(column, Text), self)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        """Parse the text."""
        if value is None:
            return None
        try:
            return read_json(value)
        except Unreadable as error:
            return error


class StoredTime(TypeDecorator[datetime]):
    """A time with a zone, clamped to what Python can represent."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def column_expression(self, column: Any) -> Any:
        """Clamp it, but keep NULL: `least` and `greatest` ignore it and would return the limit."""
        bounded = func.least(func.greatest(column, EARLIEST), LATEST)
        return type_coerce(case((column.is_not(None), bounded)), self)
