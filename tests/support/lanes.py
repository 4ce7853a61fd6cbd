"""Which lane a test runs in, and what a lane cannot do without.

A test says its lane with a marker. One that says none runs in `unit`, or in `e2e` where it uses a running stack.
`make test` runs `unit` and `e2e`, `make test-LANE` each of the others, `make test-all` all of them.

As a program it says which tools all lanes lack.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

LANES = {
    "unit": "needs no running stack",
    "e2e": "uses a running stack",
    "faults": "kills processes, stops brokers and databases, fills disks, restarts stacks, waits for schedules",
    "security": "attacks",
    "containers": "tries the image, Compose and Kubernetes",
    "aws": "tries Terraform and the instances on AWS",
}

# The fixtures that start a stack.
STACKS = ("own_stack", "platform")


def uses_stack(item: pytest.Item) -> bool:
    """Return whether a test needs a running stack."""
    return not set(STACKS).isdisjoint(getattr(item, "fixturenames", ()))


def lanes_of(item: pytest.Item) -> list[str]:
    """Return the lanes that a test says it runs in: one, where nobody made a mistake."""
    return sorted({mark.name for mark in item.iter_markers() if mark.name in LANES})


def put_into_lanes(items: Iterable[pytest.Item]) -> None:
    """Give each test its lane; it has exactly one."""
    for item in items:
        lanes = lanes_of(item)
        if len(lanes) > 1:
            raise pytest.UsageError(f"{item.nodeid} is in several lanes: {', '.join(lanes)}")
        if not lanes:
            item.add_marker("e2e" if uses_stack(item) else "unit")


def _engine_answers() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _has_rabbitmq() -> bool:
    return bool(shutil.which("rabbitmq-server") or list(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")))


# What a lane needs that `make` does not install, and whether it is there.
_TOOLS: dict[str, tuple[str, Callable[[], bool]]] = {
    "aws": ("Terraform", lambda: shutil.which("terraform") is not None),
    "containers": ("Docker engine", _engine_answers),
    "faults": ("RabbitMQ", _has_rabbitmq),
    "security": ("RabbitMQ", _has_rabbitmq),
}


def missing_tools(lanes: set[str]) -> list[str]:
    """Return a line for each lane that lacks a tool."""
    return [
        f"lane {lane}: no {tool}, so the tests that need it are skipped"
        for lane, (tool, is_there) in _TOOLS.items()
        if lane in lanes and not is_there()
    ]


if __name__ == "__main__":
    print("\n".join(missing_tools(set(LANES))) or "No lane lacks a tool.")
