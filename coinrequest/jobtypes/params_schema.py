"""Checks of a definition's params schema, so that jobs' params can be validated by it later."""

import json
from collections.abc import Iterator, Mapping, Set
from itertools import chain, islice
from typing import Any

from coinrequest.errors import MAX_ERRORS, FieldError, field_path
from coinrequest.jobtypes.formats import FORMATS
from coinrequest.jobtypes.params import MAX_PARAMS_BYTES, SchemaRoot, SchemaTooComplex, lookup, with_defaults
from coinrequest.jobtypes.plain import plain_errors
from coinrequest.jobtypes.suggestions import hint, nearest, quoted
from coinrequest.patterns import PatternInvalid, compile_pattern

Path = tuple[str | int, ...]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})
_OTHER = frozenset({"$schema", "$id", "$ref", "$comment", "type", "enum", "const", "default", "examples"})
_OTHER |= {"title", "description", "deprecated", "readOnly", "writeOnly", "required", "dependentRequired"}
_OTHER |= {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format", "pattern"}
_OTHER |= {"minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains"}
_OTHER |= {"minProperties", "maxProperties", "contentEncoding", "contentMediaType"}
# Keywords of Airflow's form that are not in the standard.
_FORM = frozenset({"section", "description_md", "values_display"})
_KEYWORDS = _MAPS | _LISTS | _SINGLE | _OTHER | _FORM
_REFUSED = {
    "$anchor": "use a $ref such as #/$defs/name",
    "$dynamicAnchor": "use a $ref such as #/$defs/name",
    "$dynamicRef": "use a $ref such as #/$defs/name",
    "$vocabulary": "the schema is of draft 2020-12",
    "contentSchema": "describe the value itself",
    "unevaluatedProperties": "use additionalProperties",
    "unevaluatedItems": "use items",
}
MAX_SCHEMAS = 1_000
MAX_PATTERNS = 200
MAX_INSTRUCTIONS = 50_000


def check_params_schema(schema: object, scheduled: bool) -> list[FieldError]:
    """Check the params of a definition.

    Args:
        schema: the value of `params`; anything but an object is ignored, because the grammar reports it.
        scheduled: whether jobs are started by a schedule, and so without params.

    Returns:
        The errors, with fields such as `params.properties.currencies.default`.
    """
    if not isinstance(schema, Mapping):
        return []
    try:
        return _check(json.loads(json.dumps(schema)), scheduled)
    except (RecursionError, SchemaTooComplex, OverflowError):
        return [FieldError("params", "the schema takes too many steps to check; it may refer to itself without end")]


def _check(schema: Mapping[str, Any], scheduled: bool) -> list[FieldError]:
    from coinrequest.jobtypes.json_schema import schema_errors

    parts = dict(islice(_subschemas(schema, ("params",)), MAX_SCHEMAS + 1))
    if len(parts) > MAX_SCHEMAS:
        return [FieldError("params", f"the schema contains more than {MAX_SCHEMAS:,} schemas, which is the limit")]
    identities = set(map(id, parts.values()))
    found = chain(
        schema_errors(schema, "params"),
        _pattern_errors(parts),
        *(_keyword_errors(path, part, schema, identities) for path, part in parts.items()),
    )
    errors = list(islice(found, MAX_ERRORS + 1))
    if schema.get("type", "object") != "object":
        errors.append(FieldError("params.type", "params are an object; write type: object"))
    if errors:
        return errors  # Validation by an invalid schema would only add noise.
    root = SchemaRoot(schema)
    for path, part in parts.items():
        errors += _default_errors(path, part, root)
    size = len(json.dumps(with_defaults(schema, {}, root), ensure_ascii=False).encode())
    if size > MAX_PARAMS_BYTES:
        errors.append(
            FieldError(
                "params", f"the defaults take {size:,} bytes together; the limit of params is {MAX_PARAMS_BYTES:,}"
            )
        )
    if scheduled and not errors:
        errors += _unattended_errors(schema, root)
    return errors


def _subschemas(schema: object, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield a schema and all schemas in it, with their paths."""
    yield path, schema
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        here = (*path, keyword)
        if keyword in _MAPS and isinstance(value, Mapping):
            for name, inner in value.items():
                yield from _subschemas(inner, (*here, name))
        elif keyword in _LISTS and isinstance(value, list):
            for index, inner in enumerate(value):
                yield from _subschemas(inner, (*here, index))
        elif keyword in _SINGLE:
            yield from _subschemas(value, here)


def _pattern_errors(parts: Mapping[Path, Any]) -> Iterator[FieldError]:
    found = [
        (field_path((*path, keyword)), str(expression))
        for path, part in parts.items()
        if isinstance(part, Mapping)
        for keyword, expressions in (
            ("pattern", [part[keyword] for keyword in ("pattern",) if keyword in part]),
            ("patternProperties", part.get("patternProperties")),
        )
        if isinstance(expressions, list | Mapping)
        for expression in expressions
    ]
    if len(found) > MAX_PATTERNS:
        yield FieldError("params", f"the schema contains {len(found):,} patterns; the limit is {MAX_PATTERNS}")
        return
    size = 0
    for field, expression in found:
        try:
            size += compile_pattern(expression).programsize
        except PatternInvalid as error:
            yield FieldError(
                field,
                f"{quoted(expression)} cannot be used as a pattern: it {error} "
                "(look-around and back-references are not supported; prefer minLength and maxLength to repetitions)",
            )
    if size > MAX_INSTRUCTIONS:
        yield FieldError(
            "params", f"the patterns compile to {size:,} instructions together; the limit is {MAX_INSTRUCTIONS:,}"
        )


def _keyword_errors(path: Path, part: Any, schema: Mapping[str, Any], identities: Set[int]) -> Iterator[FieldError]:
    if not isinstance(part, Mapping):
        return
    for keyword, value in part.items():
        field = field_path((*path, keyword))
        if keyword in _REFUSED:
            yield FieldError(field, f"is not supported; {_REFUSED[keyword]}")
        elif keyword not in _KEYWORDS and not keyword.startswith("x-"):
            near = nearest(keyword, _KEYWORDS)
            remedy = (
                f"did you mean {near!r}?" if near else "put properties under 'properties'; own keywords begin with x-"
            )
            yield FieldError(field, f"is not a keyword of JSON Schema; {remedy}")
        elif keyword == "$schema" and str(value).rstrip("#") != DRAFT:
            yield FieldError(field, f"must be {DRAFT}, or absent")
        elif keyword == "$id" and len(path) > 1:
            yield FieldError(field, "is supported only at the top of params")
        elif keyword == "$ref" and isinstance(value, str):
            yield from _reference_errors(field, value, schema, identities)
        elif keyword == "format" and isinstance(value, str) and value not in FORMATS:
            yield FieldError(field, f"there is no format {quoted(value)}{hint(value, FORMATS)}")


def _reference_errors(
    field: str, reference: str, schema: Mapping[str, Any], identities: Set[int]
) -> Iterator[FieldError]:
    if reference != "#" and not reference.startswith("#/"):
        yield FieldError(field, "must refer to a part of params itself, such as #/$defs/name")
        return
    if id(lookup(schema, reference)) not in identities:
        yield FieldError(field, f"{quoted(reference)} does not refer to a schema in params")


def _default_errors(path: Path, part: Any, root: SchemaRoot) -> list[FieldError]:
    from coinrequest.jobtypes.json_schema import instance_errors

    if not isinstance(part, Mapping) or "default" not in part:
        return []
    field = field_path((*path, "default"))
    filled = with_defaults(part, part["default"], root)
    return plain_errors(filled, field) or [
        FieldError(error.field, f"the default does not fit its own schema: {error.message}")
        for error in instance_errors(part, filled, field, root)
    ]


def _unattended_errors(schema: Mapping[str, Any], root: SchemaRoot) -> Iterator[FieldError]:
    """Yield the errors of the params of a scheduled job, which are the defaults alone."""
    from coinrequest.jobtypes.json_schema import instance_errors

    for error in instance_errors(schema, with_defaults(schema, {}, root), "", root):
        if error.message == "is required":
            where = ".properties.".join(("params", *error.field.split(".")))
            yield FieldError(where, "needs a default, because a scheduled job gets no params")
        else:
            where = f"params: {error.field}" if error.field else "params"
            yield FieldError(
                "params",
                f"a scheduled job gets no params, and the defaults alone do not fit: {where} {error.message}",
            )
