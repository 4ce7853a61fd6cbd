"""A job type's params as Airflow's `Param`s (Airflow 3.3.2): what its form can show, and no checks.

Airflow validates params with jsonschema when a run is created, in a DAG's details and in every task. Patterns run in
Python's `re`, without a time limit. Our own validator decides (`jobtypes/params.py`), and Airflow's must accept
whatever it accepts: marked numbers, `3.0` for an integer, and null for an optional param that is absent.
"""

import json
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from coinrequest.jobtypes.definition import Definition
from coinrequest.jobtypes.marked_numbers import mark
from coinrequest.jobtypes.params import SchemaRoot, dereferenced, with_defaults

# In draft 7, a validator ignores what stands beside a `$ref`. The form reads it.
_ACCEPTS_ALL = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$ref": "#/definitions/any",
    "definitions": {"any": True},
}
# The keywords that the form reads. Airflow gets no others.
SHOWN = frozenset(
    {"type", "title", "enum", "examples", "format", "items", "minimum", "maximum", "minLength", "maxLength"}
    | {"section", "description_md", "values_display"}
)
# The formats that have a form field of their own.
_FORMATS = frozenset({"date", "date-time", "multiline", "password"})
_MAX_BYTES = 64 * 1024


def airflow_params(definition: Definition) -> dict[str, Param]:
    """Return the params of a job type, with the defaults for the runs that Airflow starts by itself."""
    schema = definition.params or {}
    root = SchemaRoot(schema)
    declared: Any = dereferenced(schema, root)
    defaults: Mapping[str, Any] = with_defaults(schema, {}, root)
    properties, required = declared.get("properties", {}), declared.get("required", ())
    params = {}
    shown: dict[str, Any]
    described: dict[str, Any]
    bytes_left = _MAX_BYTES
    for name, property_schema in properties.items():
        found = dereferenced(property_schema, root)
        content: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
        if bytes_left >= 0:
            shown, described = _shown(content), {"description": content.get("description")}
            # A few references to one long list could add up to megabytes.
            bytes_left -= len(json.dumps([shown, described]))
        if bytes_left < 0:
            shown, described = {key: value for key, value in content.items() if key == "type"}, {"description": None}
        if name in defaults:
            described["default"] = mark(defaults[name])
            if described["default"] != defaults[name]:
                shown["type"] = "array" if isinstance(described["default"], list) else "object"
        elif name not in required:
            described["default"] = None
            shown = _nullable(shown)
        params[name] = Param(**described, schema={**shown, **_ACCEPTS_ALL})
    return params


def is_unchecked(dag: Any) -> bool:
    """Return whether Airflow's copy of a DAG leaves the checks to us; those of older releases do not."""
    return all(_ACCEPTS_ALL.items() <= dag.params.get_param(name).schema.items() for name in dag.params)


def _shown(schema: Mapping[str, Any]) -> dict[str, Any]:
    # Airflow's API cannot answer with a large number, and a browser would round it.
    shown = {key: value for key, value in schema.items() if key in SHOWN and mark(value) == value}
    if shown.get("format") not in _FORMATS:
        shown.pop("format", None)
    items = shown.pop("items", None)
    if isinstance(items, Mapping) and "type" in items and "prefixItems" not in schema:
        shown["items"] = {"type": items["type"]}
    return shown


def _nullable(shown: dict[str, Any]) -> dict[str, Any]:
    nullable = dict(shown)
    if "type" in shown:
        kinds = [shown["type"]] if isinstance(shown["type"], str) else list(shown["type"])
        nullable["type"] = [*kinds, *({"null"} - set(kinds))]
    if "enum" in shown and None not in shown["enum"]:
        nullable["enum"] = [*shown["enum"], None]
    return nullable
