"""Actions as an agent calls them: plain JSON in, plain JSON out."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from coinrequest.actions.catalogue import find_action
from coinrequest.actions.context import ActionContext, Connection, ConnectionUnavailable


class KnownConnections(ActionContext):
    """A context that knows some connections."""

    def __init__(self, *connections: Connection) -> None:
        self._connections = {connection.name: connection for connection in connections}

    def connection(self, name: str) -> Connection:
        if name not in self._connections:
            raise ConnectionUnavailable(f"there is no connection {name!r}")
        return self._connections[name]


def run(name: str, inputs: dict[str, Any], *connections: Connection) -> Any:
    """Run an action as an agent does, and prove that its result can be stored."""
    action = find_action(name)
    result = action(KnownConnections(*connections)).run(action.Inputs.model_validate(inputs)).model_dump(mode="json")
    return json.loads(json.dumps(result, allow_nan=False))


def errors(name: str, inputs: dict[str, Any]) -> str:
    """Return what is wrong with inputs."""
    with pytest.raises(ValidationError) as caught:
        find_action(name).Inputs.model_validate(inputs)
    return str(caught.value)
