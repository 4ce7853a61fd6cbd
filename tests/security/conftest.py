"""Attacks, each of which has to fail: `make test-security` runs them alone.

Those on the API use `support.api_fixtures`, those on a running stack the fixtures of the root `conftest.py`.
"""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from support import api_environment as environment
from support.measured import Checker, checker
from support.scheduling import Scheduling, scheduling


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"s-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def definition(name: str) -> dict[str, Any]:
    """A small valid definition."""
    return environment.definition(name)


@pytest.fixture(scope="session")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    """Runs checks and says what they cost."""
    with checker(tmp_path_factory.mktemp("airflow")) as running:
        yield running


@pytest.fixture(scope="module")
def scheduler(airflow_app: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduling]:
    """A scheduler's executor over the API's database, with a broker and an agent of its own."""
    with scheduling(tmp_path_factory.mktemp("scheduling")) as made:
        made.start_agent()
        yield made
