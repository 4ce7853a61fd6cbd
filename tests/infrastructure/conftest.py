"""One platform in containers for all tests that need one; they repair what they break."""

import os
from collections.abc import Iterator

import pytest
from support.compose import ComposeStack, left_of, require_engine

PROFILES = ("rabbitmq", "mail", "flower", "demo-user-interface")
SERVERS = ("postgres", "redis", "api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent")
DEFAULT = {**{f"{name}-1": "healthy" for name in SERVERS}, "secrets-1": "exited 0", "migrate-1": "exited 0"}


@pytest.fixture(scope="session")
def compose_image() -> str:
    """The project's image, built from the source that is here."""
    require_engine()
    ComposeStack("coinrequest-build").compose("build", "-q", timeout=900)
    return "coinrequest:development"


@pytest.fixture(scope="session")
def _running(compose_image: str) -> Iterator[ComposeStack]:
    stack = ComposeStack(f"coinrequest-test-{os.getpid()}")
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
    assert left_of(stack.project) == []


@pytest.fixture
def compose_stack(_running: ComposeStack) -> ComposeStack:
    """The running platform: every service that the Compose file starts by default, with one agent, and healthy."""
    states = _running.states()
    if states != DEFAULT and not _running.settings["COMPOSE_PROFILES"]:
        _running.scale(1)
        states = _running.states()
    if states != DEFAULT or _running.settings["COMPOSE_PROFILES"]:
        # What belongs to a profile is no orphan for Compose; it is taken away by name.
        _running.compose("--profile", "*", "rm", "-s", "-f", *PROFILES)
        _running.up()
    return _running
