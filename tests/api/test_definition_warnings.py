"""What a definition needs and the installation lacks is a warning with its field and the remedy, at every door."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import definition

from coinrequest.airflow.celery_pool import Agent, Report
from coinrequest.single_flight import SingleFlight

TYPES = "/jobs/v1/job-types"

Connect = Callable[..., str]
AGENT = Agent("one@host-a", "host-a", ("default",), 4, datetime(2026, 1, 1, tzinfo=UTC), 0, ())


@pytest.fixture
def connect(airflow_app: Any, name: str) -> Iterator[Connect]:
    """Create a connection; return its id."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    made: list[str] = []

    def create(kind: str, **fields: Any) -> str:
        made.append(f"{name}_{kind}")
        with create_session(scoped=False) as session:
            session.add(Connection(conn_id=made[-1], conn_type=kind, **fields))
        return made[-1]

    yield create
    with create_session(scoped=False) as session:
        session.execute(delete(Connection).where(Connection.conn_id.in_(made)))


def get(url: str, connection: str | None) -> dict[str, Any]:
    return {"id": "ask", "action": "http.request", "inputs": {"url": url, "connection": connection}}


def warnings(op: TestClient, document: dict[str, Any]) -> dict[str, str]:
    answer = op.post(f"{TYPES}?dry_run=true", json=document)
    assert answer.status_code == 200, answer.text
    return {warning["field"]: warning["message"] for warning in answer.json()["warnings"]}


def test_a_connection_that_does_not_exist_is_a_warning_at_every_door(op: TestClient, name: str) -> None:
    document = {
        "name": name,
        "tasks": [get("/v1", "nowhere")],
        "notify": [{"on": ["failure"], "apprise": {"connection": "no_chat"}}],
    }
    expected = {
        "tasks[0].inputs.connection": "there is no connection 'nowhere'; "
        "an administrator adds it in Airflow under Admin, Connections",
        "notify[0].apprise.connection": "there is no connection 'no_chat'; "
        "an administrator adds it in Airflow under Admin, Connections",
    }
    assert warnings(op, document) == expected
    registered = op.post(TYPES, json=document)
    replaced = op.put(f"{TYPES}/{name}", json={**document, "description": "again"})
    rolled_back = op.post(f"{TYPES}/{name}/rollback", json={"revision": registered.json()["revision"]})
    assert [answer.status_code for answer in (registered, replaced, rolled_back)] == [201, 200, 200]
    for answer in (registered, replaced, rolled_back):
        assert {warning["field"]: warning["message"] for warning in answer.json()["warnings"]} == expected


def test_connections_in_the_database_and_in_the_environment_are_found(
    op: TestClient, name: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FROM_ENV", "http://example.org")
    tasks = [get("/v1", connect("http")), {**get("/v2", "from_env"), "id": "two"}]
    assert warnings(op, {"name": name, "tasks": tasks}) == {}


def test_a_connection_of_another_type_or_without_a_password_is_a_warning(
    op: TestClient, name: str, connect: Connect
) -> None:
    chat = connect("generic")
    document = {
        "name": name,
        "tasks": [get("/v1", connect("smtp", password="secret"))],
        "notify": [{"on": ["failure"], "apprise": {"connection": chat}}],
    }
    found = warnings(op, document)
    assert "has the type 'smtp'; it must be http or https" in found["tasks[0].inputs.connection"]
    assert (
        found["notify[0].apprise.connection"]
        == f"the password of the connection {chat!r}, which is used here, is empty"
    )
    assert "secret" not in str(found)


def test_a_name_that_is_a_reference_is_not_looked_up(op: TestClient, name: str) -> None:
    params = {"type": "object", "properties": {"name": {"type": "string"}}}
    document = {"name": name, "params": params, "tasks": [get("https://example.org", "{{ params.name }}")]}
    assert warnings(op, document) == {}


def test_whoever_may_not_read_connections_learns_nothing_about_them(
    op: TestClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coinrequest.api import definition_warnings

    monkeypatch.setattr(definition_warnings, "may_read_connection", lambda user, name: False)
    assert warnings(op, {"name": name, "tasks": [get("/v1", "nowhere")]}) == {}


@pytest.mark.parametrize("fails", [True, False])
def test_a_secrets_backend_that_fails_or_hangs_delays_and_claims_nothing(
    op: TestClient, name: str, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    import airflow.configuration

    class Backend:
        def get_connection(self, conn_id: str) -> None:
            if fails:
                raise ConnectionError("the vault is sealed")
            time.sleep(3)

    monkeypatch.setattr(airflow.configuration, "ensure_secrets_loaded", lambda: [Backend()])
    began = time.monotonic()
    assert warnings(op, {"name": name, "tasks": [get("/v1", "nowhere")]}) == {}
    assert time.monotonic() - began < 2.5


def test_a_mail_without_a_server_is_a_warning(op: TestClient, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mail = {"id": "mail", "action": "email.send", "inputs": {"to": ["a@example.org"], "subject": "x", "body": "y"}}
    found = warnings(op, {"name": name, "tasks": [mail]})
    assert "there is no mail server: COINREQUEST_SMTP_URL is not set" in found["tasks[0].inputs.connection"]
    skipped = {**mail, "inputs": {**mail["inputs"], "skip_without_server": True}}  # type: ignore[dict-item]
    assert warnings(op, {"name": name, "tasks": [skipped]}) == {}
    monkeypatch.setenv("COINREQUEST_SMTP_URL", "smtp://mail.example.org")
    assert warnings(op, {"name": name, "tasks": [mail]}) == {}


def test_what_the_administrator_has_not_allowed_is_a_warning(
    op: TestClient, name: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COINREQUEST_SQL_CONNECTIONS", "other")
    monkeypatch.setenv("COINREQUEST_CONTAINER_IMAGES", "alpine:3")
    query = {"id": "query", "action": "sql.query", "inputs": {"connection": connect("postgres"), "sql": "SELECT 1"}}
    run = {"id": "run", "action": "container.run", "inputs": {"image": "debian:12", "command": ["true"]}}
    found = warnings(op, {"name": name, "tasks": [query, run]})
    assert "is not granted" in found["tasks[0].inputs.connection"]
    assert "debian:12 is not allowed" in found["tasks[1].inputs.image"]


@pytest.fixture
def agents(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the agents that reply."""
    from coinrequest.api.routes import agents as route

    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")

    def reply(*found: Agent) -> None:
        look = SingleFlight(lambda: list(found), keep=60, name="test")
        look.call().result()
        monkeypatch.setattr(route, "inspection", look)

    return reply


OTHERS = {"http.request": "coinrequest 0.2.0"}
WAITS = {**OTHERS, "integer.wait": "coinrequest 0.2.0"}


def test_an_action_that_no_agent_of_the_queue_has_is_a_warning(
    op: TestClient, name: str, agents: Callable[..., None]
) -> None:
    agents(replace(AGENT, actions=OTHERS))
    assert warnings(op, definition(name)) == {
        "tasks[0].action": "no agent that serves the queue 'default' has the action 'integer.wait'; "
        "an administrator installs its package on the agents"
    }
    agents(replace(AGENT, actions=OTHERS), replace(AGENT, name="two@host-b", actions=WAITS))
    assert warnings(op, definition(name))["tasks[0].action"].startswith(
        "the agent 'one@host-a', which serves the queue 'default', does not have the action 'integer.wait'"
    )
    shown = op.get("/jobs/v1/agents").json()["agents"]
    assert [agent["actions"] for agent in shown] == [OTHERS, WAITS]


def test_agents_that_have_it_or_do_not_tell_cause_no_warning(
    op: TestClient, name: str, agents: Callable[..., None]
) -> None:
    for known in (replace(AGENT, actions=WAITS), replace(AGENT, actions=None)):
        agents(known, replace(AGENT, queues=("other",), actions=OTHERS))
        assert warnings(op, definition(name)) == {}


def test_health_names_an_agent_without_an_action_that_a_job_type_uses(
    op: TestClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coinrequest.actions.catalogue import action_versions
    from coinrequest.api import health

    everything = dict(action_versions())
    document = definition(name)
    document["tasks"][0]["queue"] = name
    old = Report(queues=("default", name))
    assert health._without_actions({"old": old, "complete": Report(queues=(name,), actions=everything)}) == {}
    assert op.post(TYPES, json=document).status_code == 201
    lacking = Report(queues=(name,), actions={n: v for n, v in everything.items() if n != "integer.wait"})
    found = health._without_actions({"one": lacking, "old": old})
    assert set(found) == {"one"}
    assert "has no action 'integer.wait', which registered job types use; install its package there" in found["one"]
    assert name not in found["one"]
