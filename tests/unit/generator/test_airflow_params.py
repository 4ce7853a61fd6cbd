"""Airflow's params never refuse what our own check accepts, whatever the schema says."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coinrequest.jobtypes.definition import Definition, parse_definition
from coinrequest.jobtypes.errors import DefinitionInvalid, ParamsInvalid
from coinrequest.jobtypes.params import check_params

TASKS = [{"id": "wait", "action": "integer.wait", "inputs": {"value": 1}}]
BIG = 123_456_789_012_345_678_901_234_567_890


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    home: Path = tmp_path_factory.getbasetemp() / "airflow"
    monkeypatch.setenv("AIRFLOW_HOME", str(home))


def defined(properties: Any, **fields: Any) -> Definition:
    return parse_definition({"name": "a", "params": {"properties": properties, **fields}, "tasks": TASKS})


def assert_airflow_accepts(definition: Definition, conf: dict[str, Any]) -> None:
    """Do what Airflow does when a run is created, in a DAG's details, and in the task's process."""
    from airflow.serialization.serialized_objects import DagSerialization

    from coinrequest.generator.dag import build_dag

    dag = build_dag(definition, number=1)
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    copy = DagSerialization.from_dict(stored)
    copy.params.deep_merge(conf).validate()
    copy.params.validate()
    assert copy.params.dump().keys() == dag.params.keys()
    dag.params.update(conf)
    dag.params.validate()


OPTIONAL = {
    "ref": {"$ref": "#/$defs/month"},
    "ref to a property": {"$ref": "#/properties/other"},
    "enum": {"enum": ["x", "y"]},
    "enum of numbers": {"enum": [1, 2.5, BIG]},
    "any of": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    "one of": {"oneOf": [{"const": 1}, {"const": 2}]},
    "all of": {"allOf": [{"type": "string"}, {"minLength": 3}]},
    "const": {"const": {"a": 1}},
    "not": {"not": {"type": "null"}},
    "if": {"if": {"type": "string"}, "then": {"minLength": 3}, "else": {"type": "integer"}},
    "no type": {"title": "t", "description": "d"},
    "types": {"type": ["string", "integer"]},
    "true": True,
    "false": False,
    "nested": {"type": "object", "properties": {"a": {"$ref": "#/$defs/month"}}, "required": ["a"]},
    "format": {"type": "string", "format": "date-time"},
    "format of its own": {"type": "string", "format": "time"},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "integer"}},
    "length": {"type": "string", "minLength": 1, "pattern": "^a"},
    "length alone": {"minLength": 1},
    "limits": {"type": "number", "minimum": 1, "maximum": 2, "exclusiveMinimum": 1},
    "odd titles": {"type": "string", "title": "", "examples": [None, 1, {}], "values_display": 7, "section": []},
    "odd texts": {"type": ["array", "object"], "description_md": {"a": 1}, "values_display": {"a": "b"}},
    "contains": {"type": "array", "contains": {"const": 1}, "minContains": 2},
    "names": {"type": "object", "propertyNames": {"maxLength": 2}, "minProperties": 1},
    "null": {"type": "null"},
}


@pytest.mark.parametrize("schema", OPTIONAL.values(), ids=OPTIONAL.keys())
def test_an_optional_param_of_any_schema_may_be_absent(schema: Any) -> None:
    definition = defined({"p": schema, "other": {"type": "string"}}, **{"$defs": {"month": {"enum": ["may"]}}})
    assert check_params(definition, {}) == {}
    assert_airflow_accepts(definition, {})


FITTING = {
    "letters": ({"type": "string", "pattern": r"^\p{L}+$"}, "é"),
    "a named group": ({"type": "string", "pattern": r"(?<year>\d+)"}, "2026"),
    "time": ({"type": "string", "format": "time"}, "08:30:00Z"),
    "a property": ({"$ref": "#/properties/other"}, "x"),
    "true is no number": ({"type": "boolean", "default": True}, False),
    "a whole number": ({"type": "integer"}, 3.0),
    "a large integer": ({"type": "integer", "minimum": BIG}, BIG),
    "a large float": ({"type": "number"}, 1e22),
    "decimals": ({"type": "number", "multipleOf": 0.01}, 19.99),
    "equal numbers": ({"enum": [1]}, 1.0),
    "a default": ({"type": "integer", "default": BIG}, 1),
    "a default in a list": ({"type": "array", "items": {"type": "number"}, "default": [1e22]}, []),
    "a default of a const": ({"const": 1e22, "default": 1e22}, 1e22),
    "null of two types": ({"type": ["null", "string"], "minLength": 2}, None),
    "an object like a mark": ({"type": "object"}, {"$number": "5"}),
}


@pytest.mark.parametrize(("schema", "value"), FITTING.values(), ids=FITTING.keys())
def test_a_value_that_fits_is_accepted(schema: Any, value: Any) -> None:
    from coinrequest.jobtypes.marked_numbers import mark_params

    definition = defined({"p": schema, "other": {"type": "string"}})
    conf = check_params(definition, {"p": value})
    assert_airflow_accepts(definition, mark_params(conf))
    assert_airflow_accepts(definition, mark_params(check_params(definition, {})))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**60, 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "1", "2026-01-31", "2026-01-31T08:00:00Z", "08:30", "é"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "$number"]), inner, max_size=2)
    ),
    max_leaves=5,
)
KINDS = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])


def schemas() -> st.SearchStrategy[Any]:
    def wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        keywords: dict[str, st.SearchStrategy[Any]] = {
            "type": KINDS | st.lists(KINDS, min_size=1, max_size=3, unique=True),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "default": VALUES,
            "$ref": st.sampled_from(["#/$defs/one", "#/properties/q", "#"]),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
            "minimum": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
            "maximum": st.integers(),
            "multipleOf": st.sampled_from([0.01, 3, 1e-7, 2**70]),
            "minLength": st.integers(0, 3),
            "maxLength": st.integers(0, 3),
            "format": st.sampled_from(["date", "time", "date-time", "email", "uri", "regex"]),
            "pattern": st.sampled_from([r"^\p{L}+$", r"(?<year>\d+)", "a|b"]),
            "title": st.just("t"),
            "examples": st.lists(VALUES, max_size=2),
            "values_display": VALUES,
            "section": VALUES,
            "description_md": VALUES,
            "uniqueItems": st.booleans(),
        }
        names = st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True)
        return names.flatmap(lambda chosen: st.fixed_dictionaries({name: keywords[name] for name in chosen}))

    return st.recursive(st.booleans() | st.fixed_dictionaries({"type": KINDS}), wider, max_leaves=6)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(p=schemas(), q=schemas(), one=schemas(), value=VALUES, given_too=st.booleans())
def test_what_our_check_accepts_airflow_accepts(p: Any, q: Any, one: Any, value: Any, given_too: bool) -> None:
    from coinrequest.jobtypes.marked_numbers import mark_params, unmark_params

    try:
        definition = defined({"p": p, "q": q}, **{"$defs": {"one": one}})
        params = check_params(definition, {"p": value} if given_too else {})
    except (DefinitionInvalid, ParamsInvalid):
        return
    conf = json.loads(json.dumps(mark_params(params)))
    assert unmark_params(conf) == params
    assert_airflow_accepts(definition, conf)
