"""Keywords of JSON Schema that compare numbers, as they are written in decimal.

A float is rarely the number that was written: 19.99 is no multiple of 0.01, and 1e23 is not 100000000000000000000000.
The shortest text of a float is what was written, so its value is compared.
"""

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any


def exact(number: float) -> int | Fraction:
    """Return a finite number as it is written in decimal: 0.1 is a tenth."""
    return number if isinstance(number, int) else Fraction(repr(number))


def comparable(value: object) -> object:
    """Return a hashable form that is equal for values that are equal in JSON Schema: 1 and 1.0, but not 1 and true."""
    if isinstance(value, dict):
        return ("object", frozenset((name, comparable(inner)) for name, inner in value.items()))
    if isinstance(value, list):
        return ("list", tuple(map(comparable, value)))
    if isinstance(value, float):
        return (False, exact(value))
    return (isinstance(value, bool), value)


def _fits(compare: Callable[[Any, Any], bool]) -> Callable[[float, float], bool]:
    return lambda number, limit: compare(exact(number), exact(limit))


# By keyword: whether a number fits its limit.
NUMBER_KEYWORDS: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": _fits(operator.ge),
    "maximum": _fits(operator.le),
    "exclusiveMinimum": _fits(operator.gt),
    "exclusiveMaximum": _fits(operator.lt),
    "multipleOf": _fits(lambda number, step: number % step == 0),
}
