"""Checks the params schema of a definition, so that a job's params can be checked against it later."""

import functools
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from coinrequest.jobtypes.errors import FieldError
from coinrequest.jobtypes.messages import dotted
from coinrequest.jobtypes.params import SchemaRoot, SchemaTooComplex, lookup, with_defaults
from coinrequest.jobtypes.suggestions import hint, nearest, quoted

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

Path = tuple[str | int, ...]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})
_SINGLE |= {"unevaluatedItems", "unevaluatedProperties"}
_OTHER = frozenset({"$schema", "$id", "$ref", "$comment", "type", "enum", "const", "default", "examples"})
_OTHER |= {"title", "description", "deprecated", "readOnly", "writeOnly", "required", "dependentRequired"}
_OTHER |= {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format", "pattern"}
_OTHER |= {"minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains"}
_OTHER |= {"minProperties", "maxProperties", "contentEncoding", "contentMediaType"}
# What Airflow's form reads beside the standard.
_FORM = frozenset({"section", "description_md", "values_display"})
_KEYWORDS = _MAPS | _LISTS | _SINGLE | _OTHER | _FORM
_REFUSED = {
    "$anchor": "use a $ref such as #/$defs/name",
    "$dynamicAnchor": "use a $ref such as #/$defs/name",
    "$dynamicRef": "use a $ref such as #/$defs/name",
    "$vocabulary": "the schema is of draft 2020-12",
    "contentSchema": "describe the value itself",
}


def check_params_schema(schema: object, scheduled: bool) -> list[FieldError]:
    """Check the params of a definition.

    Args:
        schema: the value of `params`; None and what is not an object are passed over (the grammar reports it).
        scheduled: whether jobs start by themselves, and so without params.

    Returns:
        What is wrong, with fields such as `params.properties.currencies.default`.
    """
    if not isinstance(schema, Mapping):
        return []
    try:
        return list(_check(json.dumps(schema, sort_keys=False), scheduled))
    except (RecursionError, SchemaTooComplex):
        return [FieldError("params", "the schema takes too many steps to check; it may refer to itself without end")]


@functools.lru_cache(maxsize=256)
def _check(canonical: str, scheduled: bool) -> tuple[FieldError, ...]:
    """Check a schema once: the same one comes again with every update of a type, and with its dry run."""
    schema = json.loads(canonical)
    parts = dict(_subschemas(schema, ("params",)))
    errors = [*_metaschema_errors(schema)]
    for path, part in parts.items():
        errors += _keyword_errors(path, part, schema, parts)
    if schema.get("type", "object") != "object":
        errors.append(FieldError("params.type", "params are an object; write type: object"))
    if errors:
        return tuple(errors)  # Validating against a schema that is wrong would only add noise.
    for path, part in parts.items():
        errors += _default_errors(path, part, schema)
    if scheduled and not errors:
        errors += _unattended_errors(schema)
    return tuple(errors)


def _subschemas(schema: object, path: Path) -> Iterator[tuple[Path, Any]]:
    """Walk through a schema and all schemas in it, wherever the standard puts one."""
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


@functools.cache
def _metaschema() -> "Validator":
    from jsonschema import Draft202012Validator

    validator: Validator = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    return validator


def _metaschema_errors(schema: Mapping[str, Any]) -> Iterator[FieldError]:
    for error in _metaschema().iter_errors(schema):
        yield FieldError(dotted(("params", *error.absolute_path)), f"is not JSON Schema: {error.message[:200]}")


def _keyword_errors(
    path: Path, part: Any, schema: Mapping[str, Any], parts: Mapping[Path, Any]
) -> Iterator[FieldError]:
    from coinrequest.jobtypes.json_schema import FORMATS, PatternUnsupported, pattern

    if not isinstance(part, Mapping):
        return
    for keyword, value in part.items():
        field = dotted((*path, keyword))
        if keyword in _REFUSED:
            yield FieldError(field, f"is not supported; {_REFUSED[keyword]}")
        elif keyword not in _KEYWORDS and not keyword.startswith("x-"):
            near = nearest(keyword, _KEYWORDS)
            way_out = (
                f"did you mean {near!r}?" if near else "properties stand under 'properties', own fields begin with x-"
            )
            yield FieldError(field, f"is not a keyword of JSON Schema; {way_out}")
        elif keyword == "$schema" and str(value).rstrip("#") != DRAFT:
            yield FieldError(field, f"must be {DRAFT}, or absent")
        elif keyword == "$id" and len(path) > 1:
            yield FieldError(field, "is supported only at the top of params")
        elif keyword == "$ref" and isinstance(value, str):
            yield from _reference_errors(field, value, schema, parts)
        elif keyword == "format" and isinstance(value, str) and value not in FORMATS:
            yield FieldError(field, f"there is no format {quoted(value)}{hint(value, FORMATS)}")
        expressions = [value] if keyword == "pattern" else list(value) if keyword == "patternProperties" else []
        for expression in expressions:
            try:
                pattern(str(expression))
            except PatternUnsupported:
                yield FieldError(
                    field,
                    f"{quoted(str(expression))} is not a pattern; look-around and back-references are not supported",
                )


def _reference_errors(
    field: str, reference: str, schema: Mapping[str, Any], parts: Mapping[Path, Any]
) -> Iterator[FieldError]:
    if reference != "#" and not reference.startswith("#/"):
        yield FieldError(field, "must lead to a place in params itself, such as #/$defs/name")
        return
    target = lookup(schema, reference)
    if not any(part is target for part in parts.values()):
        yield FieldError(field, f"{quoted(reference)} leads to no schema in params")


def _default_errors(path: Path, part: Any, schema: Mapping[str, Any]) -> list[FieldError]:
    from coinrequest.jobtypes.json_schema import instance_errors

    if not isinstance(part, Mapping) or "default" not in part:
        return []
    filled = with_defaults(part, part["default"], SchemaRoot(schema))
    return [
        FieldError(error.field, f"the default does not fit its own schema: {error.message}")
        for error in instance_errors(part, filled, dotted((*path, "default")), root=schema)
    ]


def _unattended_errors(schema: Mapping[str, Any]) -> Iterator[FieldError]:
    """A job that its schedule starts has the defaults and nothing else."""
    from coinrequest.jobtypes.json_schema import instance_errors

    for error in instance_errors(schema, with_defaults(schema, {}, SchemaRoot(schema)), ""):
        if error.message == "is required":
            where = ".properties.".join(("params", *error.field.split(".")))
            yield FieldError(where, "needs a default, because a scheduled job is given no params")
        else:
            where = f"params: {error.field}" if error.field else "params"
            yield FieldError(
                "params",
                f"a scheduled job is given no params, and the defaults alone do not fit: {where} {error.message}",
            )
