"""Airflow's own routes refuse what ours refuse: deleting, pausing and forging over its REST API (Airflow 3.3.2)."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from support.api_environment import Clients, finish
from support.simple_auth import simple_auth, token_of

pytestmark = pytest.mark.security


@pytest.fixture
def job(clients: Clients, name: str, definition: dict[str, Any]) -> str:
    """A job of a new type that has ended; its id is that of its run."""
    op = clients("Op")
    assert op.post("/jobs/v1/job-types", json=definition).status_code == 201
    job_id = str(op.post(f"/jobs/v1/job-types/{name}/jobs", json={}).json()["id"])
    finish(name, job_id, outputs={"wait": 42})
    return job_id


@pytest.fixture(params=["FAB", "SimpleAuthManager"])
def clients(request: pytest.FixtureRequest, airflow_app: Any, client_of: Clients) -> Iterator[Clients]:
    """The clients of two auth managers that have the rules."""
    if request.param == "FAB":
        yield client_of
        return
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    from coinrequest.airflow.api_server.rights import DefinitionRules

    class WithRules(DefinitionRules, SimpleAuthManager):
        pass

    with simple_auth(airflow_app, WithRules) as manager:

        def make(role: str | None) -> Any:
            client = client_of(None)
            client.headers["Authorization"] = f"Bearer {token_of(manager, (role or '').upper())}"
            return client

        yield make


@pytest.mark.parametrize("role", ["Viewer", "User"])
def test_roles_below_op_can_neither_delete_nor_pause_a_job_type(
    clients: Clients, role: str, name: str, job: str
) -> None:
    client, op = clients(role), clients("Op")
    assert client.delete(f"/api/v2/dags/{name}").status_code == 403
    assert client.patch(f"/api/v2/dags/{name}", json={"is_paused": True}).status_code == 403
    assert client.patch(f"/api/v2/dags?dag_id_pattern={name}", json={"is_paused": True}).status_code == 403
    assert op.get(f"/jobs/v1/job-types/{name}").json()["paused"] is False
    assert op.get(f"/jobs/v1/jobs/{job}").json()["result"] == 42


def test_op_can_pause_a_job_type_in_airflow(clients: Clients, name: str, job: str) -> None:
    op = clients("Op")
    assert op.patch(f"/api/v2/dags?dag_id_pattern={name}", json={"is_paused": True}).status_code == 200
    assert op.get(f"/jobs/v1/job-types/{name}").json()["paused"] is True


@pytest.mark.parametrize("role", ["Op", "Admin"])
def test_a_job_type_cannot_be_deleted_over_airflow(clients: Clients, role: str, name: str, job: str) -> None:
    client = clients(role)
    answer = client.delete(f"/api/v2/dags/{name}")
    assert answer.status_code == 409
    assert f"DELETE /jobs/v1/job-types/{name}" in answer.json()["detail"]
    assert client.get(f"/jobs/v1/jobs/{job}").json()["result"] == 42


def test_the_dag_of_a_deleted_type_can_be_removed_in_airflow(clients: Clients, name: str, job: str) -> None:
    op = clients("Op")
    assert op.delete(f"/jobs/v1/job-types/{name}").status_code == 204
    assert op.get(f"/jobs/v1/jobs/{job}").json()["result"] == 42
    assert op.delete(f"/api/v2/dags/{name}").status_code == 204
    assert op.get(f"/jobs/v1/jobs/{job}").json()["state"] == "removed"


def test_a_user_cannot_delete_a_job(clients: Clients, name: str, job: str) -> None:
    user, op = clients("User"), clients("Op")
    run = f"/api/v2/dags/{name}/dagRuns/{job}"
    task = f"{run}/taskInstances/wait"
    assert user.delete(run).status_code == 403
    assert user.delete(task).status_code == 403
    bulk = {"actions": [{"action": "delete", "entities": [job]}]}
    assert user.patch(f"/api/v2/dags/{name}/dagRuns", json=bulk).status_code == 403
    everywhere = [{"action": "delete", "entities": [{"dag_id": name, "dag_run_id": job, "task_id": "wait"}]}]
    for path in (f"{run}/taskInstances", "/api/v2/dags/~/dagRuns/~/taskInstances"):
        answer = user.patch(path, json={"actions": everywhere})
        assert answer.status_code == 403 or answer.json()["delete"]["errors"][0]["status_code"] == 403, answer.text
    assert op.get(f"/jobs/v1/jobs/{job}").json()["result"] == 42


def test_a_user_cannot_edit_a_result(clients: Clients, name: str, job: str) -> None:
    user, op = clients("User"), clients("Op")
    entries = f"/api/v2/dags/{name}/dagRuns/{job}/taskInstances/wait/xcomEntries"
    assert user.patch(f"{entries}/return_value", json={"value": 43}).status_code == 403
    assert user.post(entries, json={"key": "another", "value": 43}).status_code == 403
    assert user.delete(f"{entries}/return_value").status_code == 403
    assert op.get(f"/jobs/v1/jobs/{job}").json()["result"] == 42


def test_a_user_cannot_forge_the_completion_of_another_type(
    clients: Clients, name: str, definition: dict[str, Any]
) -> None:
    user, op = clients("User"), clients("Op")
    follower = {**definition, "name": f"{name}.after", "schedule": {"after": [name]}}
    assert op.post("/jobs/v1/job-types", json=definition).status_code == 201
    assert op.post("/jobs/v1/job-types", json=follower).status_code == 201
    found = op.get(f"/api/v2/assets?name_pattern={name}").json()["assets"]
    asset = next(asset["id"] for asset in found if name in asset["name"])
    assert user.post("/api/v2/assets/events", json={"asset_id": asset, "extra": {}}).status_code == 403
    assert user.post(f"/api/v2/assets/{asset}/materialize", json={}).status_code == 403
    assert op.get(f"/jobs/v1/jobs?type={name}").json()["jobs"] == []
    assert op.post("/api/v2/assets/events", json={"asset_id": asset, "extra": {}}).status_code == 200


def test_a_user_can_still_start_clear_and_stop_runs_in_airflow(clients: Clients, name: str, job: str) -> None:
    user = clients("User")
    runs = f"/api/v2/dags/{name}/dagRuns"
    started = user.post(runs, json={"logical_date": None, "dag_run_id": str(uuid.uuid4())})
    assert started.status_code == 200, started.text
    assert user.post(f"{runs}/{job}/clear", json={"dry_run": True}).status_code == 200
    assert user.patch(f"{runs}/{started.json()['dag_run_id']}", json={"state": "failed"}).status_code == 200
