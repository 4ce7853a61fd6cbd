"""What a task runs for each of (`for_each`) has to be a list, from the submission on."""

import pytest

from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.errors import DefinitionInvalid, ParamsInvalid
from coinrequest.jobtypes.params import check_params

ITEMS = {"type": "object", "properties": {"a": {}, "b": {"type": "array", "default": []}}}


def each(reference, **fields):
    tasks = [{"id": "each", "action": "integer.wait", "inputs": {"value": 0}, "for_each": reference}]
    return parse_definition({"name": "each", "params": ITEMS, "tasks": tasks, **fields})


@pytest.mark.parametrize("value", ["no list", 5, None, False, {"b": [1]}, 1e22])
def test_items_that_are_no_list_are_refused_at_submission(value):
    with pytest.raises(ParamsInvalid) as caught:
        check_params(each("{{ params.a }}"), {"a": value})
    assert [str(error) for error in caught.value.errors] == [
        "params.a: must be a list, because task 'each' runs for each of its items"
    ]


@pytest.mark.parametrize(("reference", "params"), [("{{ params.a }}", {}), ("{{ params.a.b }}", {"a": {"c": [1]}})])
def test_items_that_are_absent_are_refused_at_submission(reference, params):
    with pytest.raises(ParamsInvalid, match="must be a list"):
        check_params(each(reference), params)


@pytest.mark.parametrize(
    ("reference", "params"),
    [
        ("{{ params.a }}", {"a": []}),
        ("{{ params.b }}", {}),
        ("{{ params.a.b }}", {"a": {"b": [1]}}),
        ("{{ params.a.0.b }}", {"a": [{"b": [1]}]}),
    ],
)
def test_lists_are_items(reference, params):
    check_params(each(reference), params)


def test_items_of_a_scheduled_type_need_a_default():
    with pytest.raises(DefinitionInvalid, match="must be a list"):
        each("{{ params.a }}", schedule={"every": "1h"})
    each("{{ params.b }}", schedule={"every": "1h"})
