"""A task may take a day at most: then the broker would deliver it again."""

import pytest

from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.errors import DefinitionInvalid


def _definition(timeout: str) -> dict[str, object]:
    task = {"id": "wait", "action": "integer.wait", "inputs": {"value": 0}, "timeout": timeout}
    return {"name": "a-type", "tasks": [task]}


def test_a_day_is_accepted() -> None:
    assert parse_definition(_definition("24h")).tasks[0].timeout is not None


def test_more_than_a_day_is_refused_by_field() -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        parse_definition(_definition("25h"))
    (error,) = refused.value.errors
    assert error.field == "tasks[0].timeout"
    assert "24h" in error.message
