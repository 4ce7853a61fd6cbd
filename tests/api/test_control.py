"""Cancelling and retrying jobs: the user and the reason are recorded, and Airflow's run changes with the job."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import Clients, finish
from support.api_environment import definition as small

from coinrequest.jobtypes.installation import Version

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"
NOBODY = "0197f1f0-0000-7000-8000-000000000000"


@pytest.fixture
def job(op: TestClient, name: str) -> dict[str, Any]:
    """A queued job of a type with two tasks."""
    document = small(name, priority=2)
    document["tasks"].append({**document["tasks"][0], "id": "later", "depends_on": ["wait"]})
    assert op.post(TYPES, json=document).status_code == 201
    found: dict[str, Any] = op.post(f"{TYPES}/{name}/jobs", json={"priority": 9}).json()
    return found


def tasks_of(client: TestClient, job: dict[str, Any]) -> dict[str, str | None]:
    path = f"/api/v2/dags/{job['job_type']}/dagRuns/{job['id']}/taskInstances"
    return {instance["task_id"]: instance["state"] for instance in client.get(path).json()["task_instances"]}


def set_states(job: dict[str, Any], run: str, **tasks: str) -> None:
    """Set the states of a run and its tasks as the scheduler and an agent would."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session(scoped=False) as session:
        key = {"dag_id": job["job_type"], "run_id": job["id"]}
        for task, state in tasks.items():
            session.execute(
                text(
                    "UPDATE task_instance SET state = :state, try_number = 1, start_date = now()"
                    " WHERE dag_id = :dag_id AND run_id = :run_id AND task_id = :task"
                ),
                {**key, "task": task, "state": state},
            )
        session.execute(
            text("UPDATE dag_run SET state = :state WHERE dag_id = :dag_id AND run_id = :run_id"),
            {**key, "state": run},
        )


def set_length(job: dict[str, Any], task: str, length: int) -> None:
    """Set the number of items that a task has returned, as the web server does."""
    from airflow.models.taskmap import TaskMap
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        session.add(TaskMap(job["job_type"], task, job["id"], -1, length, None))


def completions(job: dict[str, Any]) -> list[str]:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session(scoped=False) as session:
        query = text("SELECT state FROM coinrequest_completion WHERE job_id = :id ORDER BY number")
        return list(session.scalars(query, {"id": job["id"]}))


def test_a_queued_job_is_cancelled_before_it_starts(client_of: Clients, job: dict[str, Any]) -> None:
    user = client_of("User")
    answer = user.post(f"{JOBS}/{job['id']}/cancel", json={"reason": "wrong currencies"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["state"] == "cancelled"
    assert (found["cancelled"]["by"], found["cancelled"]["reason"]) == ("user", "wrong currencies")
    assert found["ended_at"] is not None
    assert found["started_at"] is None
    assert "wrong currencies" in found["error"]["message"]
    assert user.get(f"{JOBS}/{job['id']}").json() == found
    assert tasks_of(user, job) == {"wait": "skipped", "later": "skipped"}
    assert user.get(f"/api/v2/dags/{job['job_type']}/dagRuns/{job['id']}").json()["state"] == "failed"
    assert completions(job) == ["cancelled"]


def test_a_reason_is_optional(op: TestClient, job: dict[str, Any]) -> None:
    found = op.post(f"{JOBS}/{job['id']}/cancel").json()
    assert found["cancelled"]["reason"] is None
    assert found["error"]["message"] == "Cancelled by op"


def test_a_running_task_is_stopped(op: TestClient, job: dict[str, Any]) -> None:
    """The agent learns the state of its task at the next heartbeat: any state but `running` stops it."""
    set_states(job, "running", wait="running")
    assert op.post(f"{JOBS}/{job['id']}/cancel").json()["state"] == "cancelled"
    assert tasks_of(op, job) == {"wait": "failed", "later": "skipped"}


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_job_that_has_ended_cannot_be_cancelled(op: TestClient, job: dict[str, Any], state: str) -> None:
    finish(job["job_type"], job["id"], state=state)
    answer = op.post(f"{JOBS}/{job['id']}/cancel")
    assert answer.status_code == 409
    assert state in answer.json()["detail"]
    assert op.get(f"{JOBS}/{job['id']}").json()["cancelled"] is None


def test_a_second_cancellation_changes_nothing(op: TestClient, job: dict[str, Any]) -> None:
    first = op.post(f"{JOBS}/{job['id']}/cancel", json={"reason": "first"}).json()
    assert op.post(f"{JOBS}/{job['id']}/cancel", json={"reason": "second"}).status_code == 409
    assert op.get(f"{JOBS}/{job['id']}").json() == first


def test_concurrent_cancellations_are_one(op: TestClient, job: dict[str, Any]) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: op.post(f"{JOBS}/{job['id']}/cancel"), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert completions(job) == ["cancelled"]


def test_a_job_that_ends_concurrently_does_not_block_a_cancellation(op: TestClient, job: dict[str, Any]) -> None:
    ending = threading.Thread(target=finish, args=(job["job_type"], job["id"]))
    ending.start()
    answer = op.post(f"{JOBS}/{job['id']}/cancel")
    ending.join()
    assert answer.status_code in (200, 409)


def test_jobs_of_a_paused_type_can_be_cancelled_and_the_type_then_deleted(op: TestClient, job: dict[str, Any]) -> None:
    address = f"{TYPES}/{job['job_type']}"
    op.post(f"{address}/pause")
    assert op.delete(address).status_code == 409
    assert op.post(f"{JOBS}/{job['id']}/cancel").status_code == 200
    assert op.delete(address).status_code == 204
    assert op.get(f"{JOBS}/{job['id']}").json()["state"] == "cancelled"


def test_a_retry_continues_from_the_failed_tasks(op: TestClient, job: dict[str, Any]) -> None:
    newer = small(job["job_type"], description="newer")
    set_states(job, "failed", wait="success", later="failed")
    op.put(f"{TYPES}/{job['job_type']}", json=newer)
    answer = op.post(f"{JOBS}/{job['id']}/retry")
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert (found["state"], found["revision"]) == ("queued", job["revision"])
    assert found["error"] is found["ended_at"] is None
    assert tasks_of(op, job) == {"wait": "success", "later": None}
    run = op.get(f"/api/v2/dags/{job['job_type']}/dagRuns/{job['id']}").json()
    assert (run["state"], Version.parse(run["bundle_version"]).number) == ("queued", job["revision"])
    finish(job["job_type"], job["id"], outputs={"later": {"value": 1}})
    assert op.get(f"{JOBS}/{job['id']}").json()["state"] == "success"
    assert completions(job) == ["failed", "success"]


def test_a_retry_does_not_repeat_what_ran_after_a_list_without_items(op: TestClient, name: str) -> None:
    wait = {"action": "integer.wait", "inputs": {"value": 0}}
    document = small(
        name,
        params={"type": "object", "properties": {"values": {"type": "array", "default": []}}},
        tasks=[
            {"id": "each", **wait, "for_each": "{{ params.values }}"},
            {"id": "report", **wait, "depends_on": ["each"]},
            {"id": "last", **wait, "depends_on": ["report"]},
        ],
    )
    assert op.post(TYPES, json=document).status_code == 201
    job = op.post(f"{TYPES}/{name}/jobs", json={}).json()
    set_states(job, "failed", **{"each.items": "success", "each": "skipped", "report": "success", "last": "failed"})
    set_length(job, "each.items", 0)
    assert op.post(f"{JOBS}/{job['id']}/retry").status_code == 202
    assert tasks_of(op, job) == {"each.items": "success", "each": "skipped", "report": "success", "last": None}


def test_a_retry_of_a_cancelled_job_runs_the_remaining_tasks_with_its_priority(
    op: TestClient, job: dict[str, Any]
) -> None:
    op.post(f"{JOBS}/{job['id']}/cancel")
    found = op.post(f"{JOBS}/{job['id']}/retry").json()
    assert found["state"] == "queued"
    assert found["cancelled"] is None
    assert tasks_of(op, job) == {"wait": None, "later": None}
    path = f"/api/v2/dags/{job['job_type']}/dagRuns/{job['id']}/taskInstances"
    assert {instance["priority_weight"] for instance in op.get(path).json()["task_instances"]} == {9}
    finish(job["job_type"], job["id"], state="failed")
    assert op.get(f"{JOBS}/{job['id']}").json()["state"] == "failed"


def test_a_retry_of_a_job_without_failed_tasks_evaluates_its_run_again(op: TestClient, job: dict[str, Any]) -> None:
    set_states(job, "failed", wait="success", later="success")
    assert op.post(f"{JOBS}/{job['id']}/retry").json()["state"] == "queued"


@pytest.mark.parametrize("state", ["queued", "running", "success"])
def test_only_failed_and_cancelled_jobs_are_retried(op: TestClient, job: dict[str, Any], state: str) -> None:
    set_states(job, state)
    answer = op.post(f"{JOBS}/{job['id']}/retry")
    assert answer.status_code == 409
    assert state in answer.json()["detail"]


def test_a_job_whose_run_was_deleted_can_be_neither_cancelled_nor_retried(op: TestClient, job: dict[str, Any]) -> None:
    finish(job["job_type"], job["id"])
    op.delete(f"/api/v2/dags/{job['job_type']}/dagRuns/{job['id']}")
    for action in ("cancel", "retry"):
        assert op.post(f"{JOBS}/{job['id']}/{action}").status_code == 409


def test_a_job_of_a_deleted_or_paused_type_is_not_left_queued_for_ever(op: TestClient, job: dict[str, Any]) -> None:
    address = f"{TYPES}/{job['job_type']}"
    finish(job["job_type"], job["id"], state="failed")
    op.post(f"{address}/pause")
    assert "paused" in op.post(f"{JOBS}/{job['id']}/retry").json()["detail"]
    op.delete(address)
    answer = op.post(f"{JOBS}/{job['id']}/retry")
    assert answer.status_code == 409
    assert "deleted" in answer.json()["detail"]
    assert op.get(f"{JOBS}/{job['id']}").json()["state"] == "failed"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b'{"reason": 3}', 422, "reason"),
        (b'{"reson": "x"}', 422, "reson"),
        (b'{"reason": "a\\u0000b"}', 422, "reason"),
        (b"{", 422, ""),
        (b'{"reason": "' + b"x" * 20_000 + b'"}', 413, ""),
    ],
)
def test_a_bad_cancellation_cancels_nothing(
    op: TestClient, job: dict[str, Any], body: bytes, status: int, field: str
) -> None:
    answer = op.post(f"{JOBS}/{job['id']}/cancel", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert op.get(f"{JOBS}/{job['id']}").json()["state"] == "queued"


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_an_unknown_job_is_neither_cancelled_nor_retried(op: TestClient, action: str) -> None:
    assert op.post(f"{JOBS}/{NOBODY}/{action}").status_code == 404
    assert op.post(f"{JOBS}/x/{action}").status_code == 422


@pytest.fixture(scope="module")
def done(op: TestClient) -> str:
    op.post(TYPES, json=small("control-done"))
    job = op.post(f"{TYPES}/control-done/jobs", json={}).json()
    finish("control-done", job["id"])
    return str(job["id"])


def test_a_refusal_changes_nothing(op: TestClient, done: str, tables_unchanged: None) -> None:
    for action in ("cancel", "retry"):
        assert op.post(f"{JOBS}/{done}/{action}").status_code == 409


def test_cancelling_and_retrying_are_in_the_audit_log(client_of: Clients, job: dict[str, Any]) -> None:
    client_of("User").post(f"{JOBS}/{job['id']}/cancel", json={"reason": "why"})
    client_of("Op").post(f"{JOBS}/{job['id']}/retry")
    logs = client_of("Admin").get(f"/api/v2/eventLogs?dag_id={job['job_type']}").json()["event_logs"]
    lines = {(entry["event"], entry["owner"], entry["run_id"], entry["extra"]) for entry in logs}
    assert lines >= {("job.cancel", "user", job["id"], "why"), ("job.retry", "op", job["id"], None)}
