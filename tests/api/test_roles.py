"""Viewer may read, User submit, Op and Admin change job types, a team all of it with its own; others nothing."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient
from support import team_roles
from support.api_environment import Clients
from support.api_environment import definition as small
from support.simple_auth import simple_auth, token_of

READERS = {"Viewer", "User", "Op", "Admin", "reads", "runs", "defines"}
SUBMITTERS = {"User", "Op", "Admin", "runs", "defines"}
REGISTRARS = {"Op", "Admin", "defines"}
# Teams that have no right on this type, and all rights on others.
STRANGERS = {"reads another", "runs another", "defines another"}
# Lists, in which these teams do not see it.
OF_ALL = {"/actions", "/actions/integer.wait", "/job-types", "/jobs"}

ROUTES: list[tuple[str, str, set[str]]] = [
    ("GET", "/actions", READERS),
    ("GET", "/actions/integer.wait", READERS),
    ("GET", "/job-types", READERS),
    ("GET", "/job-types/{name}", READERS),
    ("GET", "/job-types/{name}/revisions", READERS),
    ("GET", "/job-types/{name}/revisions/{revision}", READERS),
    ("GET", "/job-types/{name}/diff?from={revision}", READERS),
    ("GET", "/jobs", READERS),
    ("GET", "/jobs/{job}", READERS),
    ("GET", "/jobs/{job}/events", READERS),
    ("GET", "/jobs/{job}/log", READERS),
    ("GET", "/get_jobs", READERS),
    ("GET", "/jobs/{job}/notices", READERS),
    ("POST", "/notices/{notice}/redeliver", SUBMITTERS),
    ("POST", "/add_job", SUBMITTERS),
    ("POST", "/job-types/{name}/jobs", SUBMITTERS),
    ("POST", "/jobs/{job}/cancel", SUBMITTERS),
    ("POST", "/jobs/{job}/retry", SUBMITTERS),
    ("POST", "/job-types?dry_run=true", REGISTRARS),
    ("POST", "/job-types", REGISTRARS),
    ("PUT", "/job-types/{name}", REGISTRARS),
    ("POST", "/job-types/{name}/pause", REGISTRARS),
    ("POST", "/job-types/{name}/resume", REGISTRARS),
    ("POST", "/job-types/{name}/rollback", REGISTRARS),
    ("DELETE", "/job-types/{name}", REGISTRARS),
]


@pytest.fixture(scope="module")
def made(op: TestClient) -> Iterator[dict[str, Any]]:
    """A job type with a revision and a job."""
    created = op.post("/jobs/v1/job-types", json=small("roles")).json()
    op.post("/jobs/v1/job-types", json=small("url-test", params={"type": "object"}))
    job = op.post("/jobs/v1/job-types/roles/jobs", json={}).json()
    with delivered_notice(job["id"]) as notice:
        yield {"name": "roles", "revision": created["revision"], "job": job["id"], "notice": notice}


@pytest.fixture(scope="module")
def caller(airflow_app: Any, client_of: Clients) -> Callable[[str | None], TestClient]:
    """Return a function that returns the client of a role, of a new member of a team, or without a user."""
    members: dict[str, TestClient] = {}

    def find(role: str | None) -> TestClient:
        kind, _, another = (role or "").partition(" ")
        if role is None or kind not in team_roles.KINDS:
            return client_of(role)
        if role not in members:
            dags = ["elsewhere.*"] if another else ["roles", "url-t*"]
            members[role] = team_roles.member(airflow_app, client_of, kind, *dags)
        return members[role]

    return find


@contextmanager
def delivered_notice(job_id: str) -> Iterator[str]:
    """A notice that is not delivered afterwards."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    statement = text(
        "INSERT INTO coinrequest_notice"
        " (id, job_id, kind, destination, body, state, created_at, next_attempt_at, give_up_at)"
        " VALUES (gen_random_uuid(), :job, 'webhook', 'https://example.org', '{}', 'delivered', now(), now(), now())"
        " RETURNING id"
    )
    with create_session(scoped=False) as session:
        notice = str(session.execute(statement, {"job": job_id}).scalar_one())
    yield notice
    with create_session(scoped=False) as session:
        session.execute(text("DELETE FROM coinrequest_notice WHERE job_id = :job"), {"job": job_id})


def body_of(method: str, path: str, made: dict[str, Any]) -> Any:
    if path.endswith("/jobs"):
        return {}
    if path.endswith("/rollback"):
        return {"revision": made["revision"]}
    if path.endswith("/add_job"):
        return {"url": "https://example.org"}
    if path.endswith(("/cancel", "/retry", "/redeliver", "/pause", "/resume")):
        return {}
    return small("roles") if method in ("POST", "PUT") else None


def test_every_route_is_in_the_matrix(op: TestClient) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in op.get("/jobs/openapi.json").json()["paths"].items()
        for method in operations
    }
    tested = {
        (method, "/v1" + path.partition("?")[0].replace("{revision}", "{number}").replace("integer.wait", "{name}"))
        for method, path, _allowed in ROUTES
    }
    tested = {(method, re.sub(r"\{(job|notice)\}", "{id}", path)) for method, path in tested}
    # These have their own tests: one is public, one needs agents, and one has another way to sign in.
    elsewhere = {("GET", "/v1/health"), ("GET", "/v1/agents"), ("GET", "/metrics")}
    assert documented - tested == elsewhere


def _words(part: object) -> str:
    """Return the same text in each process that collects the tests, also for a set."""
    return " ".join(sorted(map(str, part))) if isinstance(part, set | frozenset) else str(part)


@pytest.mark.parametrize("role", [None, *sorted(READERS | STRANGERS)])
@pytest.mark.parametrize(("method", "path", "allowed"), ROUTES, ids=_words)
def test_the_role_decides_on_every_route(
    caller: Callable[[str | None], TestClient],
    made: dict[str, Any],
    role: str | None,
    method: str,
    path: str,
    allowed: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coinrequest.api.routes.job_events.LONGEST_STREAM", 0.1)
    address = "/jobs/v1" + path.format(**made)
    answer = caller(role).request(method, address, json=body_of(method, path, made))
    if role is None:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["status"] == 401
    elif role in STRANGERS and path in OF_ALL and method == "GET":
        assert answer.status_code == 200
        assert "job-types/roles" not in answer.text
    elif role in STRANGERS and ("{job}" in path or "{notice}" in path):
        assert answer.status_code == 404
    elif role not in allowed:
        assert answer.status_code == 403
        assert answer.json()["status"] == 403
    else:
        # 409: the name is taken, or a job is queued; 404: there is no log yet. The role allowed the request.
        assert answer.status_code in (200, 201, 202, 204, 409) or path.endswith("/log"), answer.text


SIMPLE_ROLES = {"VIEWER": "Viewer", "USER": "User", "OP": "Op", "ADMIN": "Admin"}


@pytest.mark.parametrize("role", SIMPLE_ROLES)
def test_the_roles_of_the_simple_auth_manager_have_the_same_rights(
    airflow_app: Any, client_of: Clients, made: dict[str, Any], role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    monkeypatch.setattr("coinrequest.api.routes.job_events.LONGEST_STREAM", 0.1)
    with simple_auth(airflow_app, SimpleAuthManager) as manager:
        client = client_of(None)
        client.headers["Authorization"] = f"Bearer {token_of(manager, role)}"
        for method, path, allowed in ROUTES:
            answer = client.request(method, "/jobs/v1" + path.format(**made), json=body_of(method, path, made))
            assert (answer.status_code == 403) == (SIMPLE_ROLES[role] not in allowed), (method, path, answer.text)
            assert answer.status_code != 401


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", ""])
def test_a_bad_token_is_refused(client_of: Clients, token: str) -> None:
    answer = client_of(None).get("/jobs/v1/jobs", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_errors_in_the_body_are_hidden_from_users_who_may_not_register(client_of: Clients) -> None:
    assert client_of(None).post("/jobs/v1/job-types", content=b"{").status_code == 401
    assert client_of("User").post("/jobs/v1/job-types", content=b"{").status_code == 403


def test_a_change_is_in_the_audit_log_with_its_user(client_of: Clients, name: str) -> None:
    client_of("Op").post("/jobs/v1/job-types", json=small(name))
    client_of("User").post(f"/jobs/v1/job-types/{name}/jobs", json={})
    logs = client_of("Admin").get(f"/api/v2/eventLogs?dag_id={name}").json()["event_logs"]
    assert {(entry["event"], entry["owner"]) for entry in logs} >= {
        ("job_type.create", "op"),
        ("job.submit", "user"),
    }
