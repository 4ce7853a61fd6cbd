"""A definition is read whole, or refused with every error and the field it is in."""

import pytest

from coinrequest.jobtypes.definition import load_definition, parse_definition


@pytest.fixture
def document():
    return {
        "name": "wait",
        "params": {"type": "object", "properties": {"value": {"type": "integer", "default": 1}}},
        "tasks": [{"id": "wait", "action": "integer.wait", "inputs": {"value": "{{ params.value }}"}}],
    }


def test_a_small_definition_gets_its_defaults(document):
    definition = parse_definition(document)
    assert definition.result == "wait"
    assert definition.schedule is None
    assert load_definition(document) == definition
