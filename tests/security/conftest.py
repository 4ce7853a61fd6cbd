"""Attacks, each of which has to fail: `make test-security` runs them alone.

Those on the API use `support.api_fixtures`, those on a running stack the fixtures of the root `conftest.py`.
"""

import uuid
from typing import Any

import pytest
from support import api_environment as environment


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"s-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def definition(name: str) -> dict[str, Any]:
    """A small valid definition."""
    return environment.definition(name)
