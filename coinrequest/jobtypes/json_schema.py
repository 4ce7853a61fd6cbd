"""JSON Schema (draft 2020-12) as the platform understands it.

Validation is jsonschema's, with three differences that protect the service: a `$ref` never leaves the schema,
patterns run in RE2, and every keyword pays for the work that it may do. No other module makes a validator.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from coinrequest import patterns
from coinrequest.errors import FieldError, FieldErrors, field_path
from coinrequest.jobtypes.formats import format_checker
from coinrequest.jobtypes.params import SchemaRoot, SchemaUnsupported
from coinrequest.jobtypes.suggestions import hint, quoted

# These apply each of several schemas to the same value.
_MANIFOLD = frozenset({"allOf", "anyOf", "oneOf", "dependentSchemas"})
# These compare entries and check none of them against a schema.
_CHEAP = frozenset({"type", "enum", "const", "required", "uniqueItems", "minItems", "maxItems", "dependentRequired"})
# What the library would match with Python's `re`, deep inside.
UNEVALUATED = {"unevaluatedProperties": "use additionalProperties", "unevaluatedItems": "use items"}
# An error of the library quotes the value.
_CHARACTERS_OF_A_STEP = 64
_INSTRUCTIONS_OF_A_STEP = 1_000
_STEPS_OF_A_MESSAGE = 400
_MOST_HINTS = 300
_check: ContextVar["_Check"] = ContextVar("check")

_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object with fields",
    "null": "null",
}


class _Check:
    """One value that is checked: what it may cost, and what is known of its parts by their identity."""

    def __init__(self, root: SchemaRoot, instance: object) -> None:
        self.root = root
        self._lengths: dict[int, int] = {}
        self._comparable: dict[int, Any] = {}
        self._compiled: dict[str, Any] = {}
        self._measure(instance)

    def _measure(self, value: object) -> int:
        if isinstance(value, str):
            return len(value)
        if isinstance(value, dict):
            length = sum(len(name) + self._measure(inner) for name, inner in value.items())
        elif isinstance(value, list):
            length = sum(map(self._measure, value))
        else:
            return 8
        self._lengths[id(value)] = length + 8
        return length + 8

    def quoting(self, value: object) -> int:
        """Return the steps of an error that quotes a value."""
        length = len(value) if isinstance(value, str) else self._lengths.get(id(value), 0)
        return 1 + length // _CHARACTERS_OF_A_STEP

    def comparable(self, wanted: Any) -> Any:
        """Return the values of `enum` as `_comparable` makes them, once for all that is compared with them."""
        known = self._comparable.get(id(wanted))
        if known is None:
            known = frozenset(map(_comparable, wanted))
            self._comparable[id(wanted)] = known
        return known

    def matches(self, expression: str, text: str) -> bool:
        """Tell whether a regular expression is found anywhere in a text."""
        compiled = self._compiled.get(expression)
        if compiled is None:
            try:
                compiled = self._compiled[expression] = patterns.compile_pattern(expression)
            except patterns.PatternInvalid as error:
                raise SchemaUnsupported(f"the pattern {quoted(expression)} {error}") from None
            self.root.spend(compiled.programsize)
        self.root.spend(1 + len(text) * compiled.programsize // _INSTRUCTIONS_OF_A_STEP)
        return compiled.search(text) is not None


@functools.cache
def _validator_type() -> Any:
    import attrs
    from jsonschema import Draft202012Validator, validators

    extended: Any = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {name: _counted(name, check) for name, check in {**Draft202012Validator.VALIDATORS, **_own_keywords()}.items()},
    )
    # The library's own hands a schema that names its draft, as `$schema` does, back to the library's own keywords.
    extended.evolve = attrs.evolve
    return functools.partial(extended, format_checker=format_checker())


def _own_keywords() -> dict[str, Callable[..., Iterator[Any]]]:
    from jsonschema.exceptions import ValidationError as Invalid

    def reference(validator: Any, target: str, instance: object, schema: object) -> Iterator[Any]:
        yield from validator.descend(instance, _check.get().root.follow(target))

    def pattern(validator: Any, expression: str, instance: object, schema: object) -> Iterator[Any]:
        if isinstance(instance, str) and not _check.get().matches(expression, instance):
            yield Invalid("does not match")

    def pattern_properties(
        validator: Any, expressions: Mapping[str, object], instance: object, schema: object
    ) -> Iterator[Any]:
        check = _check.get()
        for expression, inner in expressions.items() if isinstance(instance, dict) else ():
            for name, value in instance.items() if isinstance(instance, dict) else ():
                if check.matches(expression, name):
                    check.root.spend(check.quoting(value))
                    yield from validator.descend(value, inner, path=name, schema_path=expression)

    def additional(validator: Any, allowed: object, instance: object, schema: Any) -> Iterator[Any]:
        for name in _additional(instance, schema):
            if allowed is False:
                yield Invalid("unknown", path=[name])
            else:
                yield from validator.descend(instance[name], allowed, path=name)  # type: ignore[index]

    def unique(validator: Any, wanted: bool, instance: object, schema: object) -> Iterator[Any]:
        # The library compares each entry with each other.
        if wanted and isinstance(instance, list) and len({_comparable(entry) for entry in instance}) < len(instance):
            yield Invalid("twice")

    def enum(validator: Any, wanted: list[Any], instance: object, schema: object) -> Iterator[Any]:
        if _comparable(instance) not in _check.get().comparable(wanted):
            yield Invalid("another")

    def constant(validator: Any, wanted: object, instance: object, schema: object) -> Iterator[Any]:
        _check.get().root.spend(_check.get().quoting(wanted))
        if _comparable(instance) != _comparable(wanted):
            yield Invalid("another")

    def required(validator: Any, names: list[str], instance: object, schema: object) -> Iterator[Any]:
        for name in names if isinstance(instance, dict) else ():
            if name not in instance:  # type: ignore[operator]
                yield Invalid("missing", path=[name])

    def any_of(validator: Any, forms: list[Any], instance: object, schema: object) -> Iterator[Any]:
        # The library keeps every error of every form, and quotes the value in each.
        if not any(validator.evolve(schema=form).is_valid(instance) for form in forms):
            yield Invalid("fits none of the allowed forms")

    def one_of(validator: Any, forms: list[Any], instance: object, schema: object) -> Iterator[Any]:
        fitting = (form for form in forms if validator.evolve(schema=form).is_valid(instance))
        found = len(list(itertools.islice(fitting, 2)))
        if found != 1:
            yield Invalid(f"fits {'more than one' if found else 'none'} of the allowed forms")

    def unsupported(keyword: str) -> Callable[..., Iterator[Any]]:
        def refuse(validator: Any, wanted: object, instance: object, schema: object) -> Iterator[Any]:
            raise SchemaUnsupported(f"{keyword} is not supported; {UNEVALUATED[keyword]}")

        return refuse

    return {
        "$ref": reference,
        "pattern": pattern,
        "patternProperties": pattern_properties,
        "additionalProperties": additional,
        "uniqueItems": unique,
        "enum": enum,
        "const": constant,
        "required": required,
        "anyOf": any_of,
        "oneOf": one_of,
        **{keyword: unsupported(keyword) for keyword in UNEVALUATED},
    }


def _counted(name: str, check: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
    """Let a keyword's check pay for the entries it may go through, and for quoting the value."""

    def counted(validator: Any, wanted: Any, instance: object, schema: Any) -> Iterator[Any]:
        entries = sum(len(value) for value in (wanted, instance) if isinstance(value, dict | list))
        quoting = _check.get().quoting(instance)
        steps = 1 + len(wanted) * quoting if name in _MANIFOLD else quoting
        _check.get().root.spend(steps + (entries // 50 if name in _CHEAP else entries))
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


@functools.cache
def _metaschema() -> Any:
    from jsonschema import Draft202012Validator, validators

    def unique(validator: Any, wanted: bool, instance: object, schema: object) -> Iterator[Any]:
        # What is no text is reported as such.
        texts = [entry for entry in instance if isinstance(entry, str)] if isinstance(instance, list) else []
        return _own_keywords()["uniqueItems"](validator, wanted, texts, schema)

    kind: Any = validators.extend(Draft202012Validator, {"uniqueItems": unique})  # type: ignore[no-untyped-call]
    return kind(Draft202012Validator.META_SCHEMA)


def schema_errors(schema: Mapping[str, Any], name: str) -> Iterator[FieldError]:
    """Yield what is no JSON Schema; `name` is how the field of an error begins."""
    for error in _metaschema().iter_errors(schema):
        yield FieldError(field_path((name, *error.absolute_path)), f"is not JSON Schema: {error.message[:200]}")


def _additional(instance: object, schema: Mapping[str, Any]) -> list[str]:
    """Return the fields of an object that its schema names neither as properties nor by a pattern."""
    if not isinstance(instance, dict):
        return []
    named, expressions = schema.get("properties", {}), schema.get("patternProperties", {})
    check = _check.get()
    return [
        name
        for name in instance
        if name not in named and not any(check.matches(expression, name) for expression in expressions)
    ]


def instance_errors(
    schema: Mapping[str, Any], instance: object, name: str, root: SchemaRoot | None = None
) -> list[FieldError]:
    """Validate a value.

    Args:
        schema: a schema that was checked.
        instance: plain JSON.
        name: how the field of an error begins.
        root: the schema that `schema` is a part of and that its `$ref` point into, and what may still be spent.

    Returns:
        An error for everything that does not fit; of very much the first.

    Raises:
        SchemaTooComplex: the check takes too many steps.
        SchemaUnsupported: the schema was checked by an older release, and this one cannot use it.
        RecursionError: the schema's references lead on and on.
        OverflowError: a number of the schema is too large to be compared with.
    """
    token = _check.set(_Check(SchemaRoot(schema) if root is None else root, instance))
    try:
        errors = (_found(error, name) for error in _validator(schema).iter_errors(instance))
        return list(FieldErrors(errors).errors)
    finally:
        _check.reset(token)


def _found(error: Any, name: str) -> FieldError:
    _check.get().root.spend(_STEPS_OF_A_MESSAGE)
    path = list(error.absolute_path)
    return FieldError(field_path((name, *path)) if name else field_path(path), _message(error.validator, path, error))


def _message(keyword: str | None, path: list[str | int], error: Any) -> str:
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
            listed = ", ".join(repr(value)[:60] for value in wanted[:20])
            is_near = isinstance(error.instance, str) and len(wanted) <= _MOST_HINTS
            near = hint(error.instance, [value for value in wanted if isinstance(value, str)]) if is_near else ""
            return f"must be one of {listed}{near if near.startswith('; did') else ''}"
        case "const":
            return f"must be {repr(wanted)[:200]}"
        case "pattern":
            return f"must match the pattern {wanted[:200]}"
        case "format":
            return f"must be of the format {wanted}"
        case "uniqueItems":
            return "holds an entry twice"
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
