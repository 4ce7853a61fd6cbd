"""The words for each kind of error that pydantic can report, with the remedy; none of pydantic's own texts is shown."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic_core import core_schema

from coinrequest.jobtypes.grammar import PATTERNS_IN_WORDS
from coinrequest.jobtypes.suggestions import counted, nearest, quoted

Context = Mapping[str, Any]

_TIME = "a time with a zone, such as 2030-01-31T08:00:00+01:00"
_DURATION = "a duration such as PT30S or 00:00:30"
_OBJECT = "an object with fields"
# What a value must be, by the beginning of the kinds of error about it: `int_type`, `int_parsing`, `int_from_float`.
_MUST_BE = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "fraction": "a number or a fraction such as 1/3",
    "complex": "a number",
    "bool": "true or false",
    "bytes": "text",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "deque": "a list",
    "iterable": "a list",
    "arguments": "a list or an object with fields",
    "dict": _OBJECT,
    "frozen_dict": _OBJECT,
    "ordered_dict": _OBJECT,
    "counter": _OBJECT,
    "mapping": _OBJECT,
    "model": _OBJECT,
    "model_attributes": _OBJECT,
    "dataclass": _OBJECT,
    "named_tuple": _OBJECT,
    "none": "null",
    "date": "a date such as 2030-01-31",
    "date_from_datetime": "a date such as 2030-01-31, without a time",
    "time": "a time of day such as 08:30:00",
    "datetime": _TIME,
    "datetime_object": _TIME,
    "datetime_from_date": _TIME,
    "time_delta": _DURATION,
    "url": "a URL such as https://example.org/",
    "uuid": "an id such as 0198c5e2-7c5e-7d3a-9f4e-3b1f0a2c4d5e",
    "json": "text with JSON in it",
}
_ENDINGS = (
    *("_type", "_exact_type", "_required", "_invalid", "_unicode", "_inexact", "_from_float"),
    *("_parsing_size", "_parsing", "_str_parsing", "_syntax_violation"),
)
_TEXTS = {
    "missing": "is required",
    "finite_number": "must be a finite number",
    "string_not_ascii": "must have ASCII characters alone",
    "invalid_key": "the names of fields must be text; put them in quotes",
    "set_item_not_hashable": "must be a single value, not a list or an object",
    "date_past": "must be a date in the past",
    "date_future": "must be a date in the future",
    "datetime_past": "must be a time in the past",
    "datetime_future": "must be a time in the future",
    "timezone_naive": "must be a time without a zone, such as 2030-01-31T08:00:00",
    "timezone_aware": f"must be {_TIME}",
    "recursion_loop": "must not contain itself",
    "recursion_depth_exceeded": "is nested too deep",
}
_WITH_CONTEXT: dict[str, Callable[[Context], str]] = {
    "greater_than": lambda context: f"must be greater than {_bound(context['gt'])}",
    "greater_than_equal": lambda context: f"must be at least {_bound(context['ge'])}",
    "less_than": lambda context: f"must be less than {_bound(context['lt'])}",
    "less_than_equal": lambda context: f"must be at most {_bound(context['le'])}",
    "multiple_of": lambda context: f"must be a multiple of {context['multiple_of']}",
    "too_short": lambda context: _too_short(context, "entry", "entries"),
    "too_long": lambda context: _too_long(context, "entry", "entries"),
    "string_too_short": lambda context: _too_short(context, "character"),
    "string_too_long": lambda context: _too_long(context, "character"),
    "url_too_long": lambda context: _too_long(context, "character"),
    "bytes_too_short": lambda context: _too_short(context, "byte"),
    "bytes_too_long": lambda context: _too_long(context, "byte"),
    "decimal_max_digits": lambda context: f"must have at most {counted(context['max_digits'], 'digit')}",
    "decimal_max_places": lambda context: (
        f"must have at most {counted(context['decimal_places'], 'digit')} after the decimal point"
    ),
    "decimal_whole_digits": lambda context: (
        f"must have at most {counted(context['whole_digits'], 'digit')} before the decimal point"
    ),
    "url_scheme": lambda context: f"must be a URL that begins with {context['expected_schemes']}",
    "uuid_version": lambda context: f"must be a UUID of version {context['expected_version']}",
    "timezone_offset": lambda context: f"must be a time with an offset of {context['tz_expected']} seconds from UTC",
    "string_pattern_mismatch": lambda context: (
        f"must be {PATTERNS_IN_WORDS.get(context['pattern'], 'text that matches ' + context['pattern'])}"
    ),
}
# Kinds that a document cannot cause: they are about Python's own objects and calls.
_INTERNAL = "cannot be used here; the field's description in the reference says what can"
_STOCK = frozenset(get_args(core_schema.ErrorType))


def wording(kind: str, context: Context, value: object, message: str) -> str:
    """Return what is wrong with a value.

    Args:
        kind: the type of pydantic's error; `union` for a value that has none of several types.
        context: of the error.
        value: the value.
        message: pydantic's own text, which is only used for kinds that others have defined.
    """
    if kind == "union":
        return f"must be {alternatives(context['kinds'])}{_instead(value)}"
    if kind in {"literal_error", "enum"}:
        return f"must be {context['expected']}{_nearest_literal(value, str(context['expected']))}"
    if kind in {"value_error", "assertion_error"}:
        return str(context["error"]) if context.get("error") else message.partition(", ")[2]
    if kind in _WITH_CONTEXT:
        return _WITH_CONTEXT[kind](context)
    if kind in _TEXTS:
        return _TEXTS[kind]
    if must_be := _must_be(kind):
        return f"must be {must_be}{_text_instead(must_be, value)}"
    if kind not in _STOCK:
        return message[:1].lower() + message[1:]
    return "is required" if kind.startswith("missing_") else _INTERNAL


def alternatives(kinds: list[str]) -> str:
    """Return what a value must be that has none of several types, by the kinds of the errors."""
    words = list(dict.fromkeys(word for kind in kinds if (word := _must_be(kind))))
    if "a number" in words and "a whole number" in words:
        words.remove("a whole number")
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else "a value of another type"


def is_about_the_type(kind: str) -> bool:
    """Return whether an error says that a value has another type, rather than that it is wrong in its type."""
    return _must_be(kind) is not None


def _must_be(kind: str) -> str | None:
    base = next((kind.removesuffix(ending) for ending in _ENDINGS if kind.removesuffix(ending) in _MUST_BE), None)
    return None if base is None or base == kind else _MUST_BE[base]


def _text_instead(must_be: str, value: object) -> str:
    if must_be == "text" and isinstance(value, bool | int | float):
        return "; put it in quotes"
    if isinstance(value, str) and must_be not in {"text", "a list", _OBJECT}:
        return f", not the text {quoted(value)}"
    return _instead(value)


def _instead(value: object) -> str:
    return ", not null" if value is None else ""


def _nearest_literal(value: object, expected: str) -> str:
    match = nearest(value, expected.split("'")[1::2]) if isinstance(value, str) else None
    return f"; did you mean {match!r}?" if match else ""


def _bound(bound: object) -> str:
    """Return a limit as people write it: the float 60.0 is 60."""
    return str(int(bound)) if isinstance(bound, float) and bound.is_integer() and abs(bound) < 1e16 else str(bound)


def _too_short(context: Context, one: str, many: str = "") -> str:
    least = context["min_length"]
    return "must not be empty" if least == 1 else f"needs at least {counted(least, one, many)}"


def _too_long(context: Context, one: str, many: str = "") -> str:
    actual = context.get("actual_length")
    has = f"has {counted(actual, one, many)}; " if actual is not None else ""
    return f"{has}the limit is {counted(context['max_length'], one, many)}"
