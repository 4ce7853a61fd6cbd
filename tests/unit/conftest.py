"""Fixtures that several rooms use."""

import os
from collections.abc import Iterator

import pytest
from stubs import HttpStub, http_server


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on how the machine that runs it is configured."""
    for variable in os.environ:
        if variable.startswith("COINREQUEST_"):
            monkeypatch.delenv(variable)


@pytest.fixture
def http_stub() -> Iterator[HttpStub]:
    with http_server() as stub:
        yield stub


@pytest.fixture
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let actions reach the stub servers."""
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "127.0.0.0/8")
