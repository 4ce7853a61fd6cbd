"""Fixtures that several rooms use."""

import os
from collections.abc import Iterator

import hypothesis
import pytest
from support.brokers import Broker, empty, shared_broker
from support.http_stub import HttpStub, http_server

from coinrequest.prices import client

# The first example pays for imports, and the machine may be busy: neither says anything about the code.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on how the machine that runs it is configured."""
    for variable in os.environ:
        if variable.startswith("COINREQUEST_"):
            monkeypatch.delenv(variable)


@pytest.fixture(autouse=True)
def price_client(monkeypatch: pytest.MonkeyPatch) -> client.PriceClient:
    """No test meets the answers, limits and budgets of another, or waits before an attempt is made again."""
    fresh = client.PriceClient(sleep=lambda _seconds: None)
    monkeypatch.setattr(client, "_shared", fresh)
    return fresh


@pytest.fixture
def http_stub() -> Iterator[HttpStub]:
    with http_server() as stub:
        yield stub


@pytest.fixture
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let actions reach the stub servers."""
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "127.0.0.0/8")


# A RabbitMQ takes seconds to start, and not every machine has one.
@pytest.fixture(params=["redis", pytest.param("rabbitmq", marks=pytest.mark.faults)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """A broker without any messages."""
    found = shared_broker(request.param)
    empty(found)
    return found


@pytest.fixture
def redis_broker() -> Broker:
    """A Redis server without any messages."""
    found = shared_broker("redis")
    empty(found)
    return found
