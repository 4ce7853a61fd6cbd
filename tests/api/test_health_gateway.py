"""The health of the gateways, from the rows that they write as heartbeats."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

HEALTH = "/jobs/v1/health"


@pytest.fixture(autouse=True)
def no_gateways(airflow_app: Any) -> Iterator[None]:
    execute("DELETE FROM coinrequest_gateway")
    yield
    execute("DELETE FROM coinrequest_gateway")


def execute(statement: str, **values: Any) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session(scoped=False) as session:
        session.execute(text(statement), values)


def report(name: str, channel: str = "connected", seconds_ago: float = 1, detail: str | None = None) -> None:
    execute(
        "INSERT INTO coinrequest_gateway (name, started_at, seen_at, channel, detail)"
        " VALUES (:name, now() - interval '1 h', now() - make_interval(secs => :ago), :channel, :detail)",
        name=name,
        channel=channel,
        ago=seconds_ago,
        detail=detail,
    )


def gateway(client: TestClient) -> dict[str, Any]:
    return dict(client.get(HEALTH).json()["components"]["gateway"])


def test_without_a_gateway_the_detail_names_the_consequence_and_the_remedy(op: TestClient) -> None:
    found = gateway(op)
    assert found["status"] == "unhealthy"
    assert "none has ever been seen" in found["detail"]
    assert "notices" in found["detail"]
    assert "coinrequest gateway" in found["detail"]


def test_a_killed_gateway_counts_as_running_for_twenty_seconds(op: TestClient) -> None:
    report("one", seconds_ago=15)
    assert gateway(op)["status"] == "healthy"
    report("two", seconds_ago=19)
    execute("UPDATE coinrequest_gateway SET seen_at = seen_at - interval '60 s'")
    found = gateway(op)
    assert found["status"] == "unhealthy"
    seen = re.search(r"seen (\d+) s ago", found["detail"])
    # On a busy machine, seconds may pass between the heartbeat and the request.
    assert seen is not None
    assert 75 <= int(seen[1]) < 79


@pytest.mark.parametrize("channel", ["connected", "none"])
def test_a_gateway_that_is_connected_or_has_no_channel_is_healthy(channel: str, op: TestClient) -> None:
    report("one", channel)
    report("killed", "disconnected", seconds_ago=3600)
    assert gateway(op) == {"status": "healthy", "detail": f"1 running, channel: {channel}"}


def test_a_disconnected_gateway_is_unhealthy_with_its_reason(op: TestClient) -> None:
    report("one")
    report("two", "disconnected", seconds_ago=2, detail="connection refused")
    found = gateway(op)
    assert found["status"] == "unhealthy"
    assert found["detail"] == "1 of 2 running cannot reach the channel's broker: connection refused"
    assert op.get(HEALTH).json()["status"] == "degraded"


def test_the_reason_is_hidden_without_signing_in(client_of: Any) -> None:
    report("one", "disconnected", detail="connection refused")
    assert "connection refused" not in client_of(None).get(HEALTH).text
