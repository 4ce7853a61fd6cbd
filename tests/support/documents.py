"""Definitions that the tests register."""

import uuid
from typing import Any


def new_name(prefix: str = "t") -> str:
    """Return a name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def wait_task(task_id: str = "wait", value: Any = 0, **fields: Any) -> dict[str, Any]:
    """Return a task that waits `value` seconds."""
    return {"id": task_id, "action": "integer.wait", "inputs": {"value": value}, **fields}


def job_type(name: str, *tasks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a definition; without tasks it has one that does nothing."""
    return {"name": name, "tasks": list(tasks or [wait_task()]), **fields}


def params(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that requires exactly these properties; those with a default may be left out."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name, schema in properties.items() if "default" not in schema],
        "additionalProperties": False,
    }
