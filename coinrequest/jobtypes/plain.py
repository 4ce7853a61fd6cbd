"""Plain values: those that JSON can express and PostgreSQL can store."""

import math
from collections.abc import Mapping

from coinrequest.errors import MAX_ERRORS, FieldError
from coinrequest.jobtypes.marked_numbers import MAX_DIGITS

MAX_DEPTH = 50
_TOO_LARGE = 10**MAX_DIGITS

# The path of a value: the path of what contains it, and its key or position.
_Place = tuple["_Place", str | int] | None


def plain_errors(value: object, name: str = "") -> list[FieldError]:
    """Return errors for values that cannot be stored and returned unchanged.

    Args:
        value: objects, lists, texts, numbers, true, false and null.
        name: the beginning of the fields of errors.

    Returns:
        An error for NaN and infinity, for integers of more than 4,300 digits, for NUL characters and lone surrogates,
        for keys that are not text, for values of other types, and for values nested more than 50 levels deep; of very
        many only the first.
    """
    errors: list[FieldError] = []
    waiting: list[tuple[object, _Place, int]] = [(value, None, 0)]
    while waiting and len(errors) <= MAX_ERRORS:
        current, place, depth = waiting.pop()
        if depth >= MAX_DEPTH and isinstance(current, Mapping | list | tuple):
            errors.append(_error(name, place, f"is nested too deep; the limit is {MAX_DEPTH} levels"))
        elif isinstance(current, Mapping):
            for key, inner in current.items():
                if problem := _key_problem(key):
                    errors.append(_error(name, place, f"the name of a field {problem}"))
                else:
                    waiting.append((inner, (place, key), depth + 1))
        elif isinstance(current, list | tuple):
            waiting.extend((inner, (place, index), depth + 1) for index, inner in enumerate(current))
        elif problem := _problem(current):
            errors.append(_error(name, place, problem))
    return errors


def _error(name: str, place: _Place, message: str) -> FieldError:
    # Built for errors only: below a long key, the paths of thousands of values would exhaust the memory.
    parts = []
    while place is not None:
        place, part = place
        parts.append(f"[{part}]" if isinstance(part, int) else f".{part}")
    field = name + "".join(reversed(parts))
    return FieldError(field if name else field.removeprefix("."), message)


def _key_problem(key: object) -> str:
    return _text_problem(key) if isinstance(key, str) else f"must be text, not {str(key)[:60]!r}"


def _problem(value: object) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return _text_problem(value)
    if isinstance(value, int):
        return f"has more than {MAX_DIGITS:,} digits; write it as text" if abs(value) >= _TOO_LARGE else ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "must be a finite number, of less than 1.8e308"
    return f"is not a type of JSON ({type(value).__name__})"


def _text_problem(text: str) -> str:
    if "\0" in text:
        return "contains a NUL character, which cannot be stored"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "contains a lone surrogate, which is not a character"
    return ""
