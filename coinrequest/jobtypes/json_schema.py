"""Validation by JSON Schema (draft 2020-12).

The validator is jsonschema's, with three differences that protect the service: a `$ref` never leaves the schema,
patterns run in RE2, and every keyword counts the steps that it may take. No other module creates a validator.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from coinrequest import patterns
from coinrequest.errors import FieldError, FieldErrors, field_path
from coinrequest.jobtypes.decimal_keywords import NUMBER_KEYWORDS, comparable
from coinrequest.jobtypes.formats import format_checker
from coinrequest.jobtypes.params import SchemaRoot, SchemaUnsupported
from coinrequest.jobtypes.schema_wording import message
from coinrequest.jobtypes.suggestions import quoted

# Keywords that apply several schemas to the same value.
_APPLY_ALL = frozenset({"allOf", "anyOf", "oneOf", "dependentSchemas"})
# Keywords that compare entries, and validate none of them by a schema.
_CHEAP = frozenset({"type", "enum", "const", "required", "uniqueItems", "minItems", "maxItems", "dependentRequired"})
# Keywords whose patterns the library matches with Python's `re`, where it cannot be replaced.
UNEVALUATED = {"unevaluatedProperties": "use additionalProperties", "unevaluatedItems": "use items"}
# An error of the library quotes the value, so its length counts.
_CHARACTERS_OF_A_STEP = 64
_INSTRUCTIONS_OF_A_STEP = 1_000
_STEPS_OF_A_MESSAGE = 400
_current: ContextVar["_Validation"] = ContextVar("validation")

Keyword = Callable[[Any, Any, Any, Any], Iterator[Any]]


class _Validation:
    """The validation of one value: its remaining steps, and what is cached about parts of the value by identity."""

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
        """Return the steps of creating an error that quotes a value."""
        length = len(value) if isinstance(value, str) else self._lengths.get(id(value), 0)
        return 1 + length // _CHARACTERS_OF_A_STEP

    def comparable(self, wanted: Any) -> Any:
        """Return the values of `enum` in the form of `comparable`, which is computed once."""
        known = self._comparable.get(id(wanted))
        if known is None:
            known = frozenset(map(comparable, wanted))
            self._comparable[id(wanted)] = known
        return known

    def matches(self, expression: str, text: str) -> bool:
        """Return whether a regular expression matches anywhere in a text."""
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
        {name: _counted(name, check) for name, check in {**Draft202012Validator.VALIDATORS, **_OWN_KEYWORDS}.items()},
    )
    # The library's `evolve` returns to the library's own keywords for a schema with a `$schema`.
    extended.evolve = attrs.evolve
    return functools.partial(extended, format_checker=format_checker())


def _invalid(message: str, path: Sequence[str] = ()) -> Any:
    from jsonschema.exceptions import ValidationError

    return ValidationError(message, path=path)


def _ref(validator: Any, target: str, instance: object, _schema: object) -> Iterator[Any]:
    yield from validator.descend(instance, _current.get().root.follow(target))


def _pattern(_validator: Any, expression: str, instance: object, _schema: object) -> Iterator[Any]:
    if isinstance(instance, str) and not _current.get().matches(expression, instance):
        yield _invalid("does not match")


def _pattern_properties(
    validator: Any, expressions: Mapping[str, object], instance: object, _schema: object
) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    validation = _current.get()
    for expression, inner in expressions.items():
        for name, value in instance.items():
            if validation.matches(expression, name):
                validation.root.spend(validation.quoting(value))
                yield from validator.descend(value, inner, path=name, schema_path=expression)


def _additional_properties(validator: Any, allowed: object, instance: Any, schema: Any) -> Iterator[Any]:
    for name in _additional(instance, schema):
        if allowed is False:
            yield _invalid("unknown", path=[name])
        else:
            yield from validator.descend(instance[name], allowed, path=name)


def _unique_items(_validator: Any, wanted: bool, instance: object, _schema: object) -> Iterator[Any]:
    # The library compares every entry with every other.
    if wanted and isinstance(instance, list) and len({comparable(entry) for entry in instance}) < len(instance):
        yield _invalid("twice")


def _enum(_validator: Any, wanted: list[Any], instance: object, _schema: object) -> Iterator[Any]:
    if comparable(instance) not in _current.get().comparable(wanted):
        yield _invalid("another")


def _const(_validator: Any, wanted: object, instance: object, _schema: object) -> Iterator[Any]:
    _current.get().root.spend(_current.get().quoting(wanted))
    if comparable(instance) != comparable(wanted):
        yield _invalid("another")


def _required(_validator: Any, names: list[str], instance: object, _schema: object) -> Iterator[Any]:
    if isinstance(instance, dict):
        for name in names:
            if name not in instance:
                yield _invalid("missing", path=[name])


def _any_of(validator: Any, forms: list[Any], instance: object, _schema: object) -> Iterator[Any]:
    # The library keeps every error of every form, and quotes the value in each.
    if not any(validator.evolve(schema=form).is_valid(instance) for form in forms):
        yield _invalid("fits none of the allowed forms")


def _one_of(validator: Any, forms: list[Any], instance: object, _schema: object) -> Iterator[Any]:
    fitting = (form for form in forms if validator.evolve(schema=form).is_valid(instance))
    found = len(list(itertools.islice(fitting, 2)))
    if found != 1:
        yield _invalid(f"fits {'more than one' if found else 'none'} of the allowed forms")


def _number(fits: Callable[[float, float], bool]) -> Keyword:
    def check(validator: Any, limit: float, instance: Any, _schema: object) -> Iterator[Any]:
        if validator.is_type(instance, "number") and not fits(instance, limit):
            yield _invalid("another")

    return check


def _unsupported(keyword: str) -> Keyword:
    def refuse(_validator: Any, _wanted: object, _instance: object, _schema: object) -> Iterator[Any]:
        raise SchemaUnsupported(f"{keyword} is not supported; {UNEVALUATED[keyword]}")

    return refuse


_OWN_KEYWORDS: Mapping[str, Keyword] = {
    "$ref": _ref,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
    "enum": _enum,
    "const": _const,
    "required": _required,
    "anyOf": _any_of,
    "oneOf": _one_of,
    **{keyword: _number(fits) for keyword, fits in NUMBER_KEYWORDS.items()},
    **{keyword: _unsupported(keyword) for keyword in UNEVALUATED},
}


def _counted(name: str, check: Callable[..., Any]) -> Keyword:
    """Return a keyword's check that first counts the entries that it may visit, and the quoting of the value."""

    def counted(validator: Any, wanted: Any, instance: object, schema: Any) -> Iterator[Any]:
        entries = sum(len(value) for value in (wanted, instance) if isinstance(value, dict | list))
        quoting = _current.get().quoting(instance)
        steps = 1 + len(wanted) * quoting if name in _APPLY_ALL else quoting
        _current.get().root.spend(steps + (entries // 50 if name in _CHEAP else entries))
        yield from check(validator, wanted, instance, schema) or ()

    return counted


def _validator(schema: Mapping[str, Any]) -> Any:
    from referencing import Registry

    # This registry is empty and retrieves nothing; the library's default would fetch the URLs of a schema.
    return _validator_type()(schema, registry=Registry())


@functools.cache
def _metaschema() -> Any:
    from jsonschema import Draft202012Validator, validators

    def unique(validator: Any, wanted: bool, instance: object, schema: object) -> Iterator[Any]:
        # Entries of other types are reported by another keyword.
        texts = [entry for entry in instance if isinstance(entry, str)] if isinstance(instance, list) else []
        return _unique_items(validator, wanted, texts, schema)

    kind: Any = validators.extend(Draft202012Validator, {"uniqueItems": unique})  # type: ignore[no-untyped-call]
    return kind(Draft202012Validator.META_SCHEMA)


def schema_errors(schema: Mapping[str, Any], name: str) -> Iterator[FieldError]:
    """Yield what is not valid JSON Schema; the fields of errors begin with `name`."""
    for error in _metaschema().iter_errors(schema):
        yield FieldError(field_path((name, *error.absolute_path)), f"is not JSON Schema: {error.message[:200]}")


def _additional(instance: object, schema: Mapping[str, Any]) -> list[str]:
    """Return the fields of an object that its schema does not declare, by name or by pattern."""
    if not isinstance(instance, dict):
        return []
    named, expressions = schema.get("properties", {}), schema.get("patternProperties", {})
    validation = _current.get()
    return [
        name
        for name in instance
        if name not in named and not any(validation.matches(expression, name) for expression in expressions)
    ]


def instance_errors(
    schema: Mapping[str, Any], instance: object, name: str, root: SchemaRoot | None = None
) -> list[FieldError]:
    """Validate a value.

    Args:
        schema: a valid schema.
        instance: plain JSON.
        name: the beginning of the fields of errors.
        root: the whole schema that `$ref` refer to, with its remaining steps; None: `schema` itself.

    Returns:
        All errors; of very many only the first.

    Raises:
        SchemaTooComplex: validation takes too many steps.
        SchemaUnsupported: an older release accepted the schema, but this one cannot use it.
        RecursionError: the references of the schema do not end.
        OverflowError: a number in the schema is too large to compare with.
    """
    token = _current.set(_Validation(SchemaRoot(schema) if root is None else root, instance))
    try:
        errors = (_field_error(error, name) for error in _validator(schema).iter_errors(instance))
        return list(FieldErrors(errors).errors)
    finally:
        _current.reset(token)


def _field_error(error: Any, name: str) -> FieldError:
    _current.get().root.spend(_STEPS_OF_A_MESSAGE)
    path = list(error.absolute_path)
    text = message(error.validator, path, error)
    if list(error.absolute_schema_path)[-2:-1] == ["propertyNames"] and path[-1:] != ["propertyNames"]:
        text = f"the name {quoted(error.instance)} {text}"
    return FieldError(field_path((name, *path)) if name else field_path(path), text)
