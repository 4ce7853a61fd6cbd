"""Numbers that do not survive every way on which params travel, in a form that does.

Airflow stores the params of a run as JSONB, in which 1e22 becomes an integer. Its agent passes them to the task in
MessagePack, whose integers have 64 bits, and its UI reads them in JavaScript, whose integers have 53. There, and only
there, such numbers are objects like `{"$number": "1e+22"}`.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

# As many as Python reads.
MAX_DIGITS = 4_300
MARK = "$number"
# The integers up to here are exact everywhere (RFC 8259, section 6).
_MOST_EXACT = 2**53 - 1
# JSONB stores larger floats as integers.
_LARGE_FLOAT = 1e16


def mark_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a job's params with marked numbers; `unmark_params` reverses it."""
    return {name: mark(value) for name, value in params.items()}


def unmark_params(conf: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the conf of a run with its marked numbers as numbers."""
    return {name: unmark(value) for name, value in conf.items()}


def mark(value: Any) -> Any:
    """Return a copy of plain JSON in which numbers that would not survive are marked; `unmark` reverses it.

    An object that looks like a mark gets one more `$`.
    """
    if isinstance(value, Mapping):
        marked = {name: mark(inner) for name, inner in value.items()}
        name = _only_name(marked)
        return {f"${name}": marked[name]} if name is not None else marked
    if isinstance(value, list | tuple):
        return [mark(inner) for inner in value]
    if isinstance(value, int):
        return value if abs(value) <= _MOST_EXACT else {MARK: str(value)}
    if isinstance(value, float) and math.isfinite(value):
        changes = abs(value) >= _LARGE_FLOAT or (value == 0 and math.copysign(1, value) < 0)
        return {MARK: repr(value)} if changes else value
    return value


def unmark(value: Any) -> Any:
    """Return a copy of plain JSON with the numbers that `mark` has marked; a mark without a number stays as it is."""
    if isinstance(value, Mapping):
        name = _only_name(value)
        if name is None:
            return {name: unmark(inner) for name, inner in value.items()}
        if name != MARK:
            return {name[1:]: unmark(value[name])}
        number = _number(value[name])
        return {name: unmark(value[name])} if number is None else number
    if isinstance(value, list | tuple):
        return [unmark(inner) for inner in value]
    return value


def _only_name(value: Mapping[str, Any]) -> str | None:
    """Return the name in an object that is a mark, or looks like one."""
    if len(value) != 1:
        return None
    (name,) = value
    return name if name.startswith("$") and f"${name.lstrip('$')}" == MARK else None


def _number(text: object) -> int | float | None:
    if not isinstance(text, str) or len(text) > MAX_DIGITS + 1:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, float):
        return found if math.isfinite(found) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None
