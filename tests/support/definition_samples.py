"""Small definitions for the tests of the grammar."""

import pytest

from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.errors import DefinitionInvalid

REMOVED = object()


def wait(task_id="wait", **fields):
    return {"id": task_id, "action": "integer.wait", "inputs": {"value": 1}, **fields}


def definition(**fields):
    return {"name": "wait", "tasks": [wait()], **fields}


def errors_of(document):
    with pytest.raises(DefinitionInvalid) as caught:
        parse_definition(document)
    return {error.field: error.message for error in caught.value.errors}
