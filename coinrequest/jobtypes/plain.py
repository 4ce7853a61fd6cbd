"""Documents hold plain values only: what JSON can say, and what PostgreSQL can store of it."""

import math
from collections.abc import Mapping

from coinrequest.jobtypes.errors import FieldError

MAX_DEPTH = 50


def plain_errors(value: object, name: str = "") -> list[FieldError]:
    """Find what cannot be stored and given back unchanged.

    Args:
        value: objects, lists, texts, numbers, true, false and null.
        name: where the value stands, for the field of an error.

    Returns:
        An error for NaN and infinity, for NUL characters and half surrogates, for keys that are not text, for
        values of other types and for values nested more than 50 levels deep.
    """
    errors = []
    waiting: list[tuple[object, str, int]] = [(value, name, 0)]
    while waiting:
        current, field, depth = waiting.pop()
        if current is None or isinstance(current, bool | int):
            continue
        if isinstance(current, str):
            if problem := _text_problem(current):
                errors.append(FieldError(field, problem))
        elif isinstance(current, float):
            if not math.isfinite(current):
                errors.append(FieldError(field, "must be a finite number"))
        elif depth >= MAX_DEPTH:
            errors.append(FieldError(field, f"is nested too deep; the limit is {MAX_DEPTH} levels"))
        elif isinstance(current, Mapping):
            for key, inner in current.items():
                if not isinstance(key, str):
                    errors.append(FieldError(field, f"the name of a field must be text, not {str(key)[:60]!r}"))
                elif problem := _text_problem(key):
                    errors.append(FieldError(field, f"the name of a field {problem}"))
                else:
                    waiting.append((inner, f"{field}.{key}" if field else key, depth + 1))
        elif isinstance(current, list | tuple):
            waiting.extend((inner, f"{field}[{index}]", depth + 1) for index, inner in enumerate(current))
        else:
            errors.append(FieldError(field, f"is of a type that JSON does not have ({type(current).__name__})"))
    return errors


def _text_problem(text: str) -> str:
    if "\0" in text:
        return "holds a NUL character, which cannot be stored"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "holds half of a surrogate pair, which is not a character"
    return ""
