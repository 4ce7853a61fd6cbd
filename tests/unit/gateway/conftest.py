"""Real brokers."""

import pytest
from support.brokers import BROKERS, Broker, empty, shared_broker


@pytest.fixture(params=BROKERS)
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
