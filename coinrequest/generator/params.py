"""A job type's params as Airflow's `Param`s (Airflow 3.3.2): what its form can show, and nothing that checks more.

Airflow validates them when a run is made, in a DAG's details and in every task, with jsonschema's own keywords:
patterns run in Python's `re`, without a bound. Our own validator decides (`jobtypes/params.py`); whatever it lets
through has to pass here, and an optional param that is absent, which Airflow can only express as null.
"""

import json
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from coinrequest.jobtypes.definition import Definition
from coinrequest.jobtypes.params import SchemaRoot, dereferenced, with_defaults

# What the form reads; the rest of a schema stays with us.
SHOWN = frozenset(
    {"type", "title", "enum", "examples", "format", "items", "minimum", "maximum", "minLength", "maxLength"}
    | {"section", "description_md", "values_display"}
)
# Of these the form makes fields of their own. Airflow checks `time` by a rule that is not the standard's.
_FORMATS = frozenset({"date", "date-time", "multiline", "password"})
_MOST_BYTES = 64 * 1024


def airflow_params(definition: Definition) -> dict[str, Param]:
    """Return the params of a job type, with the defaults that a run has which Airflow starts."""
    schema = definition.params or {}
    root = SchemaRoot(schema)
    declared: Any = dereferenced(schema, root)
    defaults: Mapping[str, Any] = with_defaults(schema, {}, root)
    properties, required = declared.get("properties", {}), declared.get("required", ())
    params = {}
    room = _MOST_BYTES
    for name, property_schema in properties.items():
        found = dereferenced(property_schema, root)
        content: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
        shown = _shown(content)
        # A few references to one long list would make megabytes of it.
        room -= len(json.dumps([shown, content.get("description")]))
        described = {"description": content.get("description") if room >= 0 else None}
        shown = shown if room >= 0 else {key: value for key, value in shown.items() if key == "type"}
        if name in defaults:
            described["default"] = defaults[name]
        elif name not in required:
            described["default"] = None
            shown = _nullable(shown)
        params[name] = Param(**described, schema=shown)
    return params


def is_bounded(dag: Any) -> bool:
    """Tell whether Airflow's copy of a DAG holds params as they are made here, not as an older release made them."""
    return all(dag.params.get_param(name).schema.keys() <= SHOWN for name in dag.params)


def _shown(schema: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in schema.items() if key in SHOWN}
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
