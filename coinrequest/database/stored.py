"""Reading what somebody may have edited by hand, in Airflow or in the database: no row harms the answer about others.

The driver would raise for a whole page of rows where one holds JSON that is nested too deep, a number of 5,000 digits
or a time that Python does not know. So JSON is read as text and taken apart here, and the database bounds times.
"""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Text, case, cast, func, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

# No answer of the service can be nested deeper (pydantic: 255 levels with what stands around it).
MAX_DEPTH = 200
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)


class Unreadable(ValueError):
    """A text is no JSON, or none that an answer can hold."""


def read_json(text: str) -> Any:
    """Return what a JSON text holds, as any JSON reader understands it: NaN is null, half a surrogate pair is `?`.

    Raises:
        Unreadable: it is no JSON, nested deeper than 200 levels, or has a number of thousands of digits.
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
        raise Unreadable(f"it is no JSON: {error}"[:200]) from None
    return value


def unreadable(what: str) -> dict[str, str]:
    """Return what stands in an answer in place of something that is stored and cannot be read."""
    return {"unreadable": f"The stored {what} cannot be read; somebody may have changed it"}


def bounded_time(expression: str) -> str:
    """Return the SQL of a time that Python knows, for the SQL of one that may be infinite."""
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
    """A JSONB column; what cannot be read is an `Unreadable` in place of the value."""

    impl = JSONB(none_as_null=True)
    cache_ok = True

    def column_expression(self, column: Any) -> Any:
        """Read it as text."""
        return type_coerce(cast(column, Text), self)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        """Take the text apart."""
        if value is None:
            return None
        try:
            return read_json(value)
        except Unreadable as error:
            return error


class StoredTime(TypeDecorator[datetime]):
    """A time with a zone, within what Python knows."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def column_expression(self, column: Any) -> Any:
        """Bound it; the comparison with NULL would be the bound."""
        bounded = func.least(func.greatest(column, EARLIEST), LATEST)
        return type_coerce(case((column.is_not(None), bounded)), self)
