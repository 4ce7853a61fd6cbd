"""Params are checked by the schema of the job's type, and the schema is checked at registration."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.errors import DefinitionInvalid, DocumentTooLarge, ParamsInvalid
from coinrequest.jobtypes.params import check_params

TASKS = [{"id": "wait", "action": "integer.wait", "inputs": {"value": 1}}]


def with_params(schema, **fields):
    return parse_definition({"name": "wait", "params": schema, "tasks": TASKS, **fields})


def schema_errors(schema, **fields):
    with pytest.raises(DefinitionInvalid) as caught:
        with_params(schema, **fields)
    return {error.field: error.message for error in caught.value.errors}


def params_errors(schema, params):
    with pytest.raises(ParamsInvalid) as caught:
        check_params(with_params(schema), params)
    return {error.field: error.message for error in caught.value.errors}


SCHEMA = {
    "type": "object",
    "properties": {
        "currencies": {
            "type": "array",
            "items": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "minItems": 1,
            "default": ["USD"],
        },
        "count": {"type": "integer", "minimum": 1, "maximum": 5},
        "mode": {"enum": ["fast", "slow"]},
        "when": {"type": "string", "format": "date-time"},
        "options": {
            "type": "object",
            "properties": {"retry": {"type": "boolean", "default": True}, "deep": {"default": {"a": 1}}},
            "additionalProperties": False,
        },
    },
    "required": ["count"],
    "additionalProperties": False,
}


def test_defaults_are_filled_in_and_nothing_is_changed():
    params = {"count": 1, "options": {}}
    definition = with_params(SCHEMA)
    filled = check_params(definition, params)
    assert filled == {"count": 1, "currencies": ["USD"], "options": {"retry": True, "deep": {"a": 1}}}
    filled["currencies"].append("EUR")
    filled["options"]["deep"]["a"] = 2
    assert params == {"count": 1, "options": {}}
    assert check_params(definition, {"count": 1})["currencies"] == ["USD"]


def test_all_errors_come_at_once():
    errors = params_errors(
        SCHEMA,
        {"currencies": ["USD", 3, "usd"], "mode": "fats", "when": "today", "options": {"rerty": 1}, "cuont": 1},
    )
    assert errors == {
        "params.count": "is required",
        "params.currencies[1]": "must be text",
        "params.currencies[2]": "must match the pattern ^[A-Z]{3}$",
        "params.mode": "must be one of 'fast', 'slow'; did you mean 'fast'?",
        "params.when": "must be of the format date-time",
        "params.options.rerty": "there is no field 'rerty'; did you mean 'retry'?",
        "params.cuont": "there is no param 'cuont'; did you mean 'count'?",
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [({"count": 6}, "at most 5"), ({"count": 0}, "at least 1"), ({"count": 1.5}, "whole number")],
)
def test_numbers(params, message):
    assert message in params_errors(SCHEMA, params)["params.count"]


def test_a_type_without_params_takes_none():
    assert check_params(with_params(None), {}) == {}
    assert params_errors(None, {"x": 1}) == {"params.x": "the type takes no params"}


def test_the_limit_is_64_kib():
    definition = with_params({"type": "object"})
    assert check_params(definition, {"a": "x" * (65536 - len('{"a":""}'))})
    with pytest.raises(DocumentTooLarge, match="65,537"):
        check_params(definition, {"a": "x" * (65537 - len('{"a":""}'))})


@pytest.mark.parametrize("value", [float("nan"), "a\0", "\ud800", {1: 2}, {1, 2}])
def test_values_that_cannot_be_stored(value):
    with pytest.raises(ParamsInvalid):
        check_params(with_params({"type": "object"}), {"x": value})


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("date", "2026-02-28", "2026-02-30"),
        ("date-time", "2026-02-28T10:00:00Z", "2026-02-28T10:00:00"),
        ("time", "10:00:00", "25:00"),
        ("email", "a@example.org", "a"),
        ("uri", "https://example.org/x", "example"),
        ("uri", "mailto:a@example.org", "https://[x"),
        ("hostname", "example.org", "-x"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "::g"),
        ("uuid", "12345678-1234-5678-1234-567812345678", "1234"),
    ],
)
def test_formats_do_not_depend_on_installed_packages(name, right, wrong):
    schema = {"type": "object", "properties": {"x": {"format": name}}}
    assert check_params(with_params(schema), {"x": right}) == {"x": right}
    assert check_params(with_params(schema), {"x": 1}) == {"x": 1}
    assert params_errors(schema, {"x": wrong}) == {"params.x": f"must be of the format {name}"}


def test_patterns_take_linear_time():
    schema = {
        "type": "object",
        "properties": {"x": {"pattern": "^(a+)+$"}},
        "patternProperties": {"^(b+)+$": {"type": "integer"}},
        "additionalProperties": False,
    }
    begin = time.monotonic()
    errors = params_errors(schema, {"x": "a" * 5000 + "!", "b" * 5000 + "!": 1, "bb": "text"})
    assert time.monotonic() - begin < 5
    assert set(errors) == {"params.x", "params." + "b" * 5000 + "!", "params.bb"}


def test_references_inside_the_schema():
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/pair"}, "b": {"$ref": "#/$defs/pair", "default": {}}},
        "$defs": {"pair": {"type": "object", "properties": {"x": {"type": "integer", "default": 1}}}},
    }
    assert check_params(with_params(schema), {"a": {}}) == {"a": {"x": 1}, "b": {"x": 1}}
    assert params_errors(schema, {"a": {"x": "1"}}) == {"params.a.x": "must be a whole number"}


BAD_SCHEMAS = {
    "type": ({"properties": {"x": {"type": "int"}}}, "params.properties.x.type", "is not JSON Schema"),
    "required": ({"required": "x"}, "params.required", "is not JSON Schema"),
    "not an object": ({"type": "array"}, "params.type", "write type: object"),
    "no properties": ({"currencies": {"type": "array"}}, "params.currencies", "under 'properties'"),
    "keyword": ({"properties": {"x": {"defualt": 1}}}, "params.properties.x.defualt", "did you mean 'default'?"),
    "draft": ({"$schema": "http://json-schema.org/draft-07/schema#"}, "params.$schema", "2020-12"),
    "remote": (
        {"properties": {"x": {"$ref": "https://example.org/s"}}},
        "params.properties.x.$ref",
        "a part of params itself",
    ),
    "file": ({"properties": {"x": {"$ref": "file:///etc/passwd"}}}, "params.properties.x.$ref", "itself"),
    "nowhere": ({"properties": {"x": {"$ref": "#/$defs/y"}}}, "params.properties.x.$ref", "does not refer to a schema"),
    "no schema": (
        {"title": "t", "properties": {"x": {"$ref": "#/title"}}},
        "params.properties.x.$ref",
        "does not refer to a schema",
    ),
    "dynamic": ({"$dynamicRef": "#x"}, "params.$dynamicRef", "not supported"),
    "nested id": ({"properties": {"x": {"$id": "y"}}}, "params.properties.x.$id", "only at the top"),
    "format": ({"properties": {"x": {"format": "emial"}}}, "params.properties.x.format", "did you mean 'email'?"),
    "pattern": ({"properties": {"x": {"pattern": "("}}}, "params.properties.x.pattern", "cannot be used as a pattern"),
    "look-behind": ({"properties": {"x": {"pattern": "(?<=a)b"}}}, "params.properties.x.pattern", "look-around"),
    "default": (
        {"properties": {"x": {"type": "integer", "default": "1"}}},
        "params.properties.x.default",
        "does not fit its own schema: must be a whole number",
    ),
    "nested default": (
        {"properties": {"x": {"items": {"type": "integer"}, "default": [1, "2"]}}},
        "params.properties.x.default[1]",
        "does not fit",
    ),
    "reference in a default": (
        {"properties": {"x": {"default": ["{{ var.value.x }}"]}}},
        "params.properties.x.default[0]",
        "plain data",
    ),
    "endless": (
        {"$ref": "#", "properties": {"x": {"default": 1, "$ref": "#/properties/x"}}},
        "params",
        "too many steps",
    ),
}


@pytest.mark.parametrize(("schema", "field", "message"), BAD_SCHEMAS.values(), ids=BAD_SCHEMAS.keys())
def test_bad_schemas(schema, field, message):
    errors = schema_errors(schema)
    assert field in errors, errors
    assert message in errors[field]


def test_a_small_schema_cannot_require_endless_work():
    levels = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = {"properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": {**levels, "d40": {"type": "integer"}}}
    definition = with_params(schema)
    with pytest.raises(ParamsInvalid, match="too complex"):
        check_params(definition, {"x": 1})
    nested = {
        f"d{n}": {"properties": {k: {"$ref": f"#/$defs/d{n + 1}", "default": {}} for k in "ab"}} for n in range(40)
    }
    with pytest.raises(DefinitionInvalid, match="too many steps"):
        with_params({"properties": {"x": {"$ref": "#/$defs/d0", "default": {}}}, "$defs": {**nested, "d40": {}}})


def test_the_work_for_a_large_schema_and_value_is_limited():
    schema = {
        "type": "object",
        "properties": {"x": {"items": {"allOf": [{} for _ in range(300)]}, "uniqueItems": True}},
        "patternProperties": {f"^{number}$": {} for number in range(200)},
    }
    definition = with_params(schema)
    begin = time.monotonic()
    assert check_params(definition, {"x": [{"a": 1}, {"a": 2}]})
    with pytest.raises(ParamsInvalid, match="too complex"):
        check_params(definition, {"x": list(range(5000))})
    with pytest.raises(ParamsInvalid, match="too complex"):
        check_params(definition, {f"p{number}": 1 for number in range(5000)})
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(
    ("entries", "twice"),
    [([1, 1.0], True), ([1, True], False), ([{"a": [1]}, {"a": [1]}], True), ([0, False, None, "", []], False)],
)
def test_duplicate_entries(entries, twice):
    schema = {"type": "object", "properties": {"x": {"uniqueItems": True}}}
    if twice:
        assert params_errors(schema, {"x": entries}) == {"params.x": "contains an entry twice"}
    else:
        assert check_params(with_params(schema), {"x": entries}) == {"x": entries}


def test_a_large_list_of_objects_is_within_the_limits():
    entry = {"type": "object", "properties": {key: {"type": "integer", "minimum": 0} for key in "abcd"}}
    schema = {"type": "object", "properties": {"x": {"type": "array", "items": entry, "uniqueItems": True}}}
    params = {"x": [{"a": number, "b": 1, "c": 2, "d": 3} for number in range(2000)]}
    assert check_params(with_params(schema), params) == params


def test_required_params_of_a_scheduled_type_need_defaults():
    schema = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"default": 1}}, "required": ["x", "y"]}
    with_params(schema)
    errors = schema_errors(schema, schedule={"every": "1h"})
    assert errors == {"params.properties.x": "needs a default, because a scheduled job gets no params"}
    assert schema_errors(schema, schedule={"after": ["other"]})
    schema["properties"]["x"]["default"] = 1
    with_params(schema, schedule={"every": "1h"})


def test_a_scheduled_type_whose_defaults_do_not_fit_together():
    errors = schema_errors({"type": "object", "minProperties": 1}, schedule={"every": "1h"})
    assert "gets no params" in errors["params"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = ["type", "properties", "$ref", "items", "default", "required", "pattern", "enum", "allOf", "format", "$defs"]
SCHEMAS = st.recursive(
    st.booleans() | st.sampled_from(["object", "integer", "#", "#/properties/x", "(", "date"]) | JSON,
    lambda inner: st.dictionaries(st.sampled_from([*KEYWORDS, "x"]), inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(KEYWORDS), SCHEMAS, max_size=5), st.dictionaries(st.text(max_size=2), JSON))
def test_no_schema_and_no_params_break_the_check(schema, params):
    with suppress(DefinitionInvalid, ParamsInvalid):
        check_params(with_params(schema), params)


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"minItems": 1}, [], "needs at least 1 entry"),
        ({"minItems": 2}, [1], "needs at least 2 entries"),
        ({"maxItems": 1}, [1, 2], "has more than 1 entry"),
        ({"minLength": 1}, "", "needs at least 1 character"),
        ({"minProperties": 1}, {}, "needs at least 1 field"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 5, "has none of the forms that the schema allows (anyOf)"),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, 5, "must have exactly one of the forms that the schema"),
        ({"not": {"type": "integer"}}, 5, "has a form that the schema excludes (not)"),
        ({"contains": {"type": "string"}}, [5], "has no entry of the form that the schema asks for (contains)"),
        ({"contains": {}, "minContains": 2}, [5], "has too few entries of the form that the schema asks for"),
        ({"prefixItems": [{}], "items": False}, [1, 2], "has more entries than the schema allows"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "needs the field 'b', because it has 'a'"),
        (False, 5, "has no value that the schema allows here"),
        ({"enum": ["a", None, True, {"x": 1}, [1e22]]}, 5, """must be one of 'a', null, true, {"x": 1}, [1e+22]"""),
        ({"const": {"ü": None}}, 5, 'must be {"ü": null}'),
        ({"propertyNames": {"maxLength": 2}}, {"abc": 1}, "the name 'abc' has more than 2 characters"),
    ],
)
def test_a_param_that_does_not_fit_is_told_in_plain_words(schema, value, message):
    (found,) = params_errors({"type": "object", "properties": {"p": schema}}, {"p": value}).values()
    assert message in found
