"""JSON Schema (draft 2020-12) as the platform understands it.

Validation is jsonschema's, with two differences that protect the service: a `$ref` never leaves the schema, and
patterns run in an engine that takes linear time, whatever the pattern (https://docs.rs/regex/latest/regex/).
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import datetime, time
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

from coinrequest.jobtypes.errors import FieldError
from coinrequest.jobtypes.messages import dotted
from coinrequest.jobtypes.params import SchemaRoot
from coinrequest.jobtypes.suggestions import hint, quoted

# These compare entries and check none of them against a schema.
_CHEAP = frozenset({"type", "enum", "const", "required", "uniqueItems", "minItems", "maxItems", "dependentRequired"})
_root: ContextVar[SchemaRoot] = ContextVar("root")

_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object with fields",
    "null": "null",
}


class PatternUnsupported(ValueError):
    """A regular expression that cannot be read, or that looks around or back, which takes unbounded time."""


@functools.lru_cache(maxsize=1024)
def pattern(expression: str) -> SchemaValidator:
    """Compile a regular expression; `matches` applies it.

    Raises:
        PatternUnsupported: it cannot be compiled.
    """
    try:
        return SchemaValidator(core_schema.str_schema(pattern=expression, strict=True))
    except (SchemaError, ValueError) as error:
        raise PatternUnsupported(str(error)) from None


def matches(expression: str, text: str) -> bool:
    """Tell whether a regular expression is found anywhere in a text.

    Raises:
        PatternUnsupported: it cannot be compiled.
    """
    try:
        pattern(expression).validate_python(text)
    except ValidationError:
        return False
    return True


def _is_date_time(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None and "t" in text.lower()


def _is_time(text: str) -> bool:
    time.fromisoformat(text)
    return True


def _is_uri(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme and (parts.netloc or parts.path)) and text.isprintable() and " " not in text


def _is_host_name(text: str) -> bool:
    label = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
    return len(text) <= 253 and re.fullmatch(rf"{label}(\.{label})*", text, re.ASCII) is not None


_OWN_FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _is_date_time,
    "time": _is_time,
    "uri": _is_uri,
    "hostname": _is_host_name,
}
_LIBRARY_FORMATS = ("date", "email", "ipv4", "ipv6", "uuid")
# Airflow's form has a larger field for `multiline`; a form hides what is typed for `password`.
FORMATS = frozenset({*_OWN_FORMATS, *_LIBRARY_FORMATS, "multiline", "password"})


@functools.cache
def _validator_type() -> Any:
    from jsonschema import Draft202012Validator, FormatChecker, validators
    from jsonschema.exceptions import ValidationError as Invalid

    # An own selection, because the library's depends on which other packages happen to be installed.
    checker = FormatChecker(formats=())
    checker.checkers = {name: Draft202012Validator.FORMAT_CHECKER.checkers[name] for name in _LIBRARY_FORMATS}
    for name, check in _OWN_FORMATS.items():
        checker.checkers[name] = (_only_for_text(check), (ValueError,))

    def check_reference(validator: Any, reference: str, instance: object, schema: object) -> Iterator[Any]:
        yield from validator.descend(instance, _root.get().follow(reference))

    def check_pattern(validator: Any, expression: str, instance: object, schema: object) -> Iterator[Any]:
        if isinstance(instance, str) and not matches(expression, instance):
            yield Invalid("does not match")

    def check_pattern_properties(
        validator: Any, expressions: Mapping[str, object], instance: object, schema: object
    ) -> Iterator[Any]:
        for expression, inner in expressions.items() if isinstance(instance, dict) else ():
            for name, value in instance.items() if isinstance(instance, dict) else ():
                _root.get().spend(1)
                if matches(expression, name):
                    yield from validator.descend(value, inner, path=name, schema_path=expression)

    def check_additional(validator: Any, allowed: object, instance: object, schema: Any) -> Iterator[Any]:
        for name in _additional(instance, schema):
            if allowed is False:
                yield Invalid("unknown", path=[name])
            else:
                yield from validator.descend(instance[name], allowed, path=name)  # type: ignore[index]

    def check_unique(validator: Any, wanted: bool, instance: object, schema: object) -> Iterator[Any]:
        # The library compares each entry with each other.
        if wanted and isinstance(instance, list) and len({_comparable(entry) for entry in instance}) < len(instance):
            yield Invalid("twice")

    keywords = {
        **Draft202012Validator.VALIDATORS,
        "$ref": check_reference,
        "pattern": check_pattern,
        "patternProperties": check_pattern_properties,
        "additionalProperties": check_additional,
        "uniqueItems": check_unique,
    }
    extended = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {name: _counted(check, cheap=name in _CHEAP) for name, check in keywords.items()},
    )
    return functools.partial(extended, format_checker=checker)


def _counted(check: Callable[..., Any], cheap: bool) -> Callable[..., Iterator[Any]]:
    """Let a keyword's check pay for the entries it may go through."""

    def counted(validator: Any, wanted: Any, instance: object, schema: Any) -> Iterator[Any]:
        entries = sum(len(value) for value in (wanted, instance) if isinstance(value, dict | list))
        _root.get().spend(1 + (entries // 50 if cheap else entries))
        yield from check(validator, wanted, instance, schema) or ()

    return counted


def _comparable(value: object) -> object:
    """Return something hashable that is equal for values that JSON Schema calls equal: 1 and 1.0, not 1 and true."""
    if isinstance(value, dict):
        return ("object", frozenset((name, _comparable(inner)) for name, inner in value.items()))
    if isinstance(value, list):
        return ("list", tuple(map(_comparable, value)))
    return (isinstance(value, bool), value)


def _validator(schema: Mapping[str, Any]) -> Any:
    from referencing import Registry

    # The registry is empty and retrieves nothing; the library's own would fetch what a schema names.
    return _validator_type()(schema, registry=Registry())


def _only_for_text(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: check(value) if isinstance(value, str) else True


def _additional(instance: object, schema: Mapping[str, Any]) -> list[str]:
    """Return the fields of an object that its schema names neither as properties nor by a pattern."""
    if not isinstance(instance, dict):
        return []
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    _root.get().spend(len(instance) * len(patterns))
    return [
        name for name in instance if name not in named and not any(matches(expression, name) for expression in patterns)
    ]


def instance_errors(
    schema: Mapping[str, Any], instance: object, name: str, root: Mapping[str, Any] | None = None
) -> list[FieldError]:
    """Validate a value.

    Args:
        schema: a schema that was checked.
        instance: plain JSON.
        name: how the field of an error begins.
        root: the schema that `schema` is a part of and that its `$ref` point into.

    Returns:
        An error for everything that does not fit.

    Raises:
        SchemaTooComplex: the schema's references lead on and on.
        RecursionError: the same.
    """
    token = _root.set(SchemaRoot(schema if root is None else root))
    try:
        return list(dict.fromkeys(_found(error, name) for error in _each(_validator(schema), instance)))
    finally:
        _root.reset(token)


def _each(validator: Any, instance: object) -> Iterator[Any]:
    for error in validator.iter_errors(instance):
        if error.validator == "required":
            # The library's error is one for each name, and has the name only in its text.
            for missing in error.validator_value:
                if missing not in error.instance:
                    yield ("required", [*error.absolute_path, missing], error)
        else:
            yield (error.validator, list(error.absolute_path), error)


def _found(found: tuple[str, list[str | int], Any], name: str) -> FieldError:
    keyword, path, error = found
    return FieldError(dotted((name, *path)) if name else dotted(path), _message(keyword, path, error))


def _message(keyword: str, path: list[str | int], error: Any) -> str:
    wanted = error.validator_value
    match keyword:
        case "required":
            return "is required"
        case "additionalProperties" if wanted is False:
            what = "param" if len(path) == 1 else "field"
            return (
                f"there is no {what} {quoted(str(path[-1]))}{hint(str(path[-1]), error.schema.get('properties', {}))}"
            )
        case "type":
            kinds = [_KINDS.get(kind, kind) for kind in ([wanted] if isinstance(wanted, str) else wanted)]
            return f"must be {' or '.join(kinds)}"
        case "enum":
            listed = ", ".join(repr(value) for value in wanted[:20])
            near = (
                hint(error.instance, [v for v in wanted if isinstance(v, str)])
                if isinstance(error.instance, str)
                else ""
            )
            return f"must be one of {listed}{near if near.startswith('; did') else ''}"
        case "const":
            return f"must be {wanted!r}"
        case "pattern":
            return f"must match the pattern {wanted}"
        case "format":
            return f"must be of the format {wanted}"
        case "uniqueItems":
            return "holds an entry twice"
        case "anyOf" | "oneOf" if not list(error.context) and keyword == "oneOf":
            return "fits more than one of the allowed forms"
        case "anyOf" | "oneOf":
            return "fits none of the allowed forms"
    if keyword in _LIMITS:
        return _LIMITS[keyword].format(wanted)
    return str(error.message)[:200]


_LIMITS = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be greater than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "needs at least {} characters",
    "maxLength": "has more than {} characters",
    "minItems": "needs at least {} entries",
    "maxItems": "has more than {} entries",
    "minProperties": "needs at least {} fields",
    "maxProperties": "has more than {} fields",
}
