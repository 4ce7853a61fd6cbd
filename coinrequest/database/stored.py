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
from coinrequest.nesting import MAX_DEPTH, is_too_deep
from coinrequest.text import storable

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)


class Unreadable(CoinrequestError, ValueError):
    """A text is not JSON, or not JSON that an answer can hold."""


def read_json(text: str) -> Any:
    """Return what a JSON text holds, as any JSON reader understands it.

    NaN and infinity are null, and U+FFFD stands for NUL and half of a surrogate pair.

    Raises:
        Unreadable: it is not JSON, nested deeper than 200 levels, or has a number of thousands of digits.
    """
    try:
        value = json.loads(text, parse_constant=lambda _: None)
        if is_too_deep(value, text):
            raise Unreadable(f"it is nested deeper than {MAX_DEPTH} levels")
        if "\\u" in text:
            value = storable(value)
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
