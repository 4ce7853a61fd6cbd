"""Names and definitions for the tests of the API; the API itself is in `support.api_fixtures`."""

import uuid
from typing import Any

import pytest
from support import api_environment as environment

BASE = "/jobs/v1"


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def definition(name: str) -> dict[str, Any]:
    """A small valid definition."""
    return environment.definition(name)
