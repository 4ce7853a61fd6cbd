"""Numbers keep their value and kind through the params of a run, and are compared as they are written."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.errors import DefinitionInvalid, ParamsInvalid
from coinrequest.jobtypes.marked_numbers import MARK, MAX_DIGITS, mark, mark_params, unmark, unmark_params
from coinrequest.jobtypes.params import check_params, check_run

NUMBERS = st.integers() | st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.sampled_from([MARK, f"${MARK}", f"$${MARK}", "a", "$", "number", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "1e22", "5", "NaN", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=8,
)


def through_the_way_of_a_run(value: Any) -> Any:
    """Return what JSONB and MessagePack make of a value."""
    import msgspec

    def stored(text: str) -> Any:
        number = float(text)
        return int(number) if number.is_integer() and "e" in text else number

    conf = json.loads(json.dumps(value), parse_float=stored)
    return msgspec.msgpack.decode(msgspec.msgpack.encode(conf))


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, and all their numbers of the same kind."""
    return json.dumps(one) == json.dumps(other)


@given(VALUES)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    assert same(unmark(through_the_way_of_a_run(mark(value))), value)


@given(st.dictionaries(NAMES, VALUES, max_size=2))
def test_names_of_params_are_never_marks(params: dict[str, Any]) -> None:
    marked = mark_params(params)
    assert list(marked) == list(params)
    assert same(unmark_params(through_the_way_of_a_run(marked)), params)


@given(VALUES)
def test_only_numbers_that_would_change_are_marked(value: Any) -> None:
    assert unmark(mark(mark(value))) == mark(value)
    if isinstance(value, int | float) and not same(mark(value), value):
        assert mark(value) == {MARK: repr(value)}
        assert abs(value) > 2**53 - 1 or (value == 0 and math.copysign(1, value) < 0)


@pytest.mark.parametrize(
    "value", [{MARK: "x"}, {MARK: 5}, {MARK: "1e999"}, {MARK: "NaN"}, {MARK: "true"}, {MARK: "[1]"}, {MARK: "9" * 4302}]
)
def test_a_mark_without_a_number_stays_as_it_is(value: Any) -> None:
    assert unmark(value) == value
    assert unmark(mark(value)) == value


def checked(schema: Any, value: Any) -> Any:
    tasks = [{"id": "wait", "action": "integer.wait", "inputs": {"value": 1}}]
    definition = parse_definition({"name": "a", "params": {"properties": {"x": schema}}, "tasks": tasks})
    return check_params(definition, {"x": value})["x"]


FITTING = [
    ({"multipleOf": 0.01}, 19.99),
    ({"multipleOf": 0.01}, 1e22),
    ({"multipleOf": 1e-7}, 0.3),
    ({"multipleOf": 0.1}, 10**30),
    ({"multipleOf": 10**18}, 5 * 10**18),
    ({"multipleOf": 2.5}, -7.5),
    ({"type": "integer"}, 3.0),
    ({"type": "integer"}, 1e22),
    ({"type": "integer", "maximum": 10**30}, 10**30),
    ({"minimum": 1e23}, 10**23),
    ({"maximum": 1e23}, 10**23),
    ({"exclusiveMinimum": 2**53}, 2**53 + 1),
    ({"const": 10**23}, 1e23),
    ({"const": [{"a": 1}]}, [{"a": 1.0}]),
    ({"enum": [2**53 + 1]}, 2**53 + 1),
    ({"uniqueItems": True}, [2**53, 2**53 + 1, 1, True]),
    ({}, 10**MAX_DIGITS - 1),
    ({}, -(10**MAX_DIGITS) + 1),
    ({}, 1.7976931348623157e308),
]
WRONG = [
    ({"multipleOf": 0.01}, 19.999),
    ({"multipleOf": 10**18}, 5 * 10**18 + 1),
    ({"type": "integer"}, 3.5),
    ({"type": "integer"}, True),
    ({"minimum": 10**30}, 10**30 - 1),
    ({"exclusiveMaximum": 1e23}, 10**23),
    ({"exclusiveMinimum": 2**53}, 9007199254740992.0),
    ({"const": 1}, True),
    ({"enum": [2**53 + 1]}, 2**53),
    ({"uniqueItems": True}, [10**23, 1e23]),
    ({}, 10**MAX_DIGITS),
    ({}, float("inf")),
]


@pytest.mark.parametrize(("schema", "value"), FITTING, ids=range(len(FITTING)))
def test_numbers_that_fit(schema: Any, value: Any) -> None:
    assert same(checked(schema, value), value)


@pytest.mark.parametrize(("schema", "value"), WRONG, ids=range(len(WRONG)))
def test_numbers_that_do_not_fit(schema: Any, value: Any) -> None:
    with pytest.raises(ParamsInvalid):
        checked(schema, value)


def test_a_default_is_checked_as_a_param_is() -> None:
    assert checked({"type": "integer", "default": 10**30, "multipleOf": 10**30}, 0) == 0
    with pytest.raises(DefinitionInvalid, match=r"multiple of 0\.01"):
        checked({"default": 0.001, "multipleOf": 0.01}, 0)


def test_an_integer_with_too_many_digits_is_refused_with_the_remedy() -> None:
    with pytest.raises(ParamsInvalid, match="has more than 4,300 digits; write it as text"):
        checked({}, [10**MAX_DIGITS])


def test_params_from_airflow_may_be_marked() -> None:
    tasks = [{"id": "wait", "action": "integer.wait", "inputs": {"value": 1}}]
    schema = {"properties": {"wei": {"type": "integer", "default": 10**30}, "$number": {"type": "string"}}}
    definition = parse_definition({"name": "a", "params": schema, "tasks": tasks})
    for wei in (10**22, {MARK: str(10**22)}):
        assert check_run(definition, {"wei": wei, "$number": "5"}) == {"wei": 10**22, "$number": "5"}
    assert check_run(definition, {"$number": None}) == {"wei": 10**30}


NULL_IS_ABSENT = [
    ({"properties": {"x": {"$ref": "#/$defs/y"}}, "$defs": {"y": {"type": "string"}}}, {}),
    ({"properties": {"x": {"$ref": "#/$defs/y"}}, "$defs": {"y": {"type": "string", "default": "z"}}}, None),
    ({"$ref": "#/$defs/all", "$defs": {"all": {"properties": {"x": {"enum": ["a"]}}}}}, {}),
    ({"properties": {"x": False}}, {}),
    ({"properties": {"x": True}}, {"x": None}),
]


@pytest.mark.parametrize(("schema", "params"), NULL_IS_ABSENT, ids=range(len(NULL_IS_ABSENT)))
def test_null_from_airflows_form_is_an_absent_param(schema: Any, params: Any) -> None:
    tasks = [{"id": "wait", "action": "integer.wait", "inputs": {"value": 1}}]
    definition = parse_definition({"name": "a", "params": schema, "tasks": tasks})
    if params is None:
        with pytest.raises(ParamsInvalid):
            check_run(definition, {"x": None})
    else:
        assert check_run(definition, {"x": None}) == params
