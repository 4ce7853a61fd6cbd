"""The token in a callback's URL is never shown, and submissions do not reveal which connections exist."""

import json
import uuid
from typing import Any

import pytest
from support import team_roles
from support.api_environment import Clients, finish

from coinrequest.jobs.callback import without_secrets

pytestmark = pytest.mark.security

TOKEN = "t0ken-of-somebody"
HOOK = f"https://example.org/hook?token={TOKEN}&x=1"
SHOWN = "https://example.org/hook?…"
V1 = "/jobs/v1"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (HOOK, SHOWN),
        ("https://example.org/hook", "https://example.org/hook"),
        ("https://a:b@example.org:8443/hook?x#y", "https://example.org:8443/hook?…"),
        ("https://example.org?x", "https://example.org?…"),
    ],
)
def test_how_a_url_is_shown(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


@pytest.fixture
def job(client_of: Clients, name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """A job with such a callback, as its submitter sees it."""
    notify = [{"on": ["failure"], "webhook": HOOK}]
    assert client_of("Op").post(f"{V1}/job-types", json={**definition, "notify": notify}).status_code == 201
    answer = client_of("User").post(f"{V1}/job-types/{name}/jobs", json={"callback": {"url": HOOK}})
    found: dict[str, Any] = answer.json()
    return found


def expand() -> None:
    from airflow.utils.session import create_session

    from coinrequest.notices.outbox import expand

    with create_session(scoped=False) as session:
        while expand(session):
            pass


def test_no_route_shows_the_token_of_a_callback(
    client_of: Clients, name: str, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert job["callback"]["url"] == SHOWN
    monkeypatch.setattr("coinrequest.api.routes.job_events.LONGEST_STREAM", 0.1)
    finish(name, job["id"], "failed")
    expand()
    notices = client_of("User").get(f"{V1}/jobs/{job['id']}/notices").json()["notices"]
    assert {notice["destination"] for notice in notices} == {SHOWN}
    client_of("User").post(f"{V1}/notices/{notices[0]['id']}/redeliver")
    for role in ("Viewer", "User", "Op", "Admin"):
        client = client_of(role)
        for path in (
            f"{V1}/jobs/{job['id']}",
            f"{V1}/jobs?type={name}",
            f"{V1}/jobs/{job['id']}/events",
            f"{V1}/jobs/{job['id']}/notices",
            f"/api/v2/dags/{name}/dagRuns/{job['id']}",
            f"/api/v2/dags/{name}/details",
            f"/api/v2/dagSources/{name}",
            f"/api/v2/eventLogs?dag_id={name}",
            "/jobs/metrics",
        ):
            assert TOKEN not in client.get(path).text, (role, path)


def test_the_delivery_uses_the_whole_url_and_messages_omit_the_token(name: str, job: dict[str, Any]) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    finish(name, job["id"], "success", {"wait": 1})
    expand()
    with create_session(scoped=False) as session:
        rows = session.execute(
            text("SELECT destination, body FROM coinrequest_notice WHERE job_id = :job"), {"job": job["id"]}
        ).all()
    assert [row.destination for row in rows] == [HOOK]
    assert TOKEN not in rows[0].body


def test_the_token_is_removed_from_the_response_of_a_receiver() -> None:
    from coinrequest.notices.destinations.webhook import _without_query
    from coinrequest.notices.outcome import Outcome

    url = "https://example.org/hook?token=t0ken%2Fx&y=1"
    said = Outcome(
        error="no answer from /hook?token=t0ken%2Fx&y=1", response=json.dumps({"token": "t0ken/x", "y": "1"})
    )
    found = _without_query(said, url)
    assert found.error == "no answer from /hook?…"
    assert found.response == '{"token": "…", "y": "1"}'


@pytest.mark.usefixtures("job")
def test_only_users_who_may_change_a_definition_see_its_token(client_of: Clients, name: str) -> None:
    at = f"{V1}/job-types/{name}"
    yaml = {"Accept": "application/yaml"}
    number = client_of("Op").get(at).json()["revision"]
    changed = client_of("Op").get(at).json()["definition"]
    assert changed["notify"][0]["webhook"] == HOOK
    changed["notify"][0]["webhook"] += "2"
    assert client_of("Op").put(at, json=changed).status_code == 200
    paths = (at, f"{at}/revisions", f"{at}/revisions/{number}", f"{at}/diff?from={number}")
    for role in ("Viewer", "User"):
        client = client_of(role)
        assert client.get(at).json()["definition"]["notify"][0]["webhook"] == SHOWN
        assert TOKEN not in client.get(at, headers=yaml).text
        for path in paths:
            assert TOKEN not in client.get(path).text, path
    assert TOKEN in client_of("Op").get(at, headers=yaml).text
    assert TOKEN in client_of("Op").get(f"{at}/diff?from={number}").text


@pytest.fixture(scope="module")
def connection(op: Any) -> str:
    name = f"hook_{uuid.uuid4().hex[:8]}"
    made = op.post("/api/v2/connections", json={"connection_id": name, "conn_type": "generic", "password": "whsec_x"})
    assert made.status_code == 201
    return name


def test_a_user_cannot_find_out_which_connections_exist(
    client_of: Clients, connection: str, name: str, job: dict[str, Any]
) -> None:
    answers = []
    for named in (connection, "no_such_connection"):
        body = {"callback": {"url": HOOK, "secret": {"connection": named}}}
        answer = client_of("User").post(f"{V1}/job-types/{name}/jobs", json=body)
        answers.append((answer.status_code, answer.text.replace(named, "NAME")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 403
    assert "callback.secret" in answers[0][1]
    op = client_of("Op").post(f"{V1}/job-types/{name}/jobs", json=body)
    assert op.status_code == 202, "who may read connections may name one, also one that is made later"


def test_a_team_that_runs_jobs_cannot_name_a_connection(
    airflow_app: Any, client_of: Clients, connection: str, name: str, job: dict[str, Any]
) -> None:
    body = {"callback": {"url": HOOK, "secret": {"connection": connection}}}
    for kind, status in (("runs", 403), ("defines", 202)):
        member = team_roles.member(airflow_app, client_of, kind, name)
        assert member.post(f"{V1}/job-types/{name}/jobs", json=body).status_code == status


def test_a_message_cannot_name_a_connection(connection: str, name: str) -> None:
    from coinrequest.gateway.outcomes import MessageRefused
    from coinrequest.gateway.parsing import parse_message

    reasons = []
    for named in (connection, "no_such_connection"):
        callback = {"url": HOOK, "secret": {"connection": named}}
        message = {"job_id": str(uuid.uuid4()), "job_type": name, "callback": callback}
        with pytest.raises(MessageRefused) as refused:
            parse_message(json.dumps(message).encode())
        reasons.append(str(refused.value))
    assert reasons[0] == reasons[1]
    assert "callback.secret" in reasons[0]
