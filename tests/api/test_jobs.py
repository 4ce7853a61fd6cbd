"""Submitting a job and following it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import definition as small
from support.api_environment import finish

from coinrequest.jobtypes.installation import Version

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"
PARAMS = {
    "type": "object",
    "properties": {"value": {"type": "integer", "default": 3}, "text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


def submit(client: TestClient, name: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"{TYPES}/{name}/jobs", json=body)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{JOBS}/{found['id']}"
    return found


def test_a_job_is_queued_as_a_run_of_its_dag(op: TestClient, name: str) -> None:
    revision = op.post(TYPES, json=small(name, params=PARAMS)).json()["revision"]
    job = submit(op, name, params={"text": "x"})
    assert job["state"] == "queued"
    assert job["params"] == {"value": 3, "text": "x"}
    assert job["revision"] == revision
    assert job["submitted_by"] == "op"
    assert datetime.fromisoformat(job["submitted_at"]).tzinfo is not None
    assert op.get(f"{JOBS}/{job['id']}").json() == job
    run = op.get(f"/api/v2/dags/{name}/dagRuns/{job['id']}").json()
    assert (run["state"], run["run_type"], run["triggered_by"]) == ("queued", "manual", "rest_api")
    assert run["conf"] == job["params"]
    assert run["triggering_user_name"] == "op"
    assert Version.parse(run["bundle_version"]).number == revision
    instances = op.get(f"/api/v2/dags/{name}/dagRuns/{job['id']}/taskInstances").json()
    assert [instance["task_id"] for instance in instances["task_instances"]] == ["wait"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"params": {}}, {"params.text"}),
        ({"params": {"text": 1, "value": "x"}}, {"params.text", "params.value"}),
        ({"params": {"text": "x", "more": 1}}, {"params.more"}),
        ({"params": {"text": "a\x00b"}}, {"params.text"}),
        ({"params": []}, {"params"}),
        ({"params": {"text": "x"}, "priority": 0, "labels": []}, {"priority", "labels"}),
        ({"params": {"text": "x"}, "run_after": "2030-01-01T00:00:00"}, {"run_after"}),
        ({"params": {"text": "x"}, "run_after": "tomorrow"}, {"run_after"}),
    ],
)
def test_bad_submissions_name_their_fields_and_start_nothing(
    op: TestClient, name: str, body: dict[str, Any], fields: set[str]
) -> None:
    op.post(TYPES, json=small(name, params=PARAMS))
    answer = op.post(f"{TYPES}/{name}/jobs", json=body)
    assert answer.status_code == 422, answer.text
    assert {error["field"] for error in answer.json()["errors"]} == fields
    assert op.get(f"{JOBS}?type={name}").json()["jobs"] == []
    assert op.get(f"/api/v2/dags/{name}/dagRuns").json()["dag_runs"] == []


def test_params_larger_than_the_limit_are_refused(op: TestClient, name: str) -> None:
    op.post(TYPES, json=small(name, params=PARAMS))
    answer = op.post(f"{TYPES}/{name}/jobs", json={"params": {"text": "x" * 64 * 1024}})
    assert answer.status_code == 413
    answer = op.post(f"{TYPES}/{name}/jobs", json={"params": {"text": "x" * 80 * 1024}})
    assert answer.status_code == 413
    assert op.post(f"{TYPES}/{name}/jobs", json={"params": {"text": "x" * 65_000}}).status_code == 202


def test_a_job_can_be_submitted_for_later(op: TestClient, name: str) -> None:
    op.post(TYPES, json=small(name))
    later = datetime.now(UTC) + timedelta(hours=1)
    job = submit(op, name, run_after=later.isoformat())
    assert datetime.fromisoformat(job["run_after"]) == later


def test_a_job_keeps_the_revision_that_was_current_at_submission(op: TestClient, name: str) -> None:
    first = op.post(TYPES, json=small(name)).json()["revision"]
    before = submit(op, name)
    second = op.put(f"{TYPES}/{name}", json=small(name, description="new")).json()["revision"]
    after = submit(op, name)
    assert (before["revision"], after["revision"]) == (first, second)
    assert op.get(f"{JOBS}/{before['id']}").json()["revision"] == first


def test_a_type_that_never_ran_can_be_replaced_and_submitted(op: TestClient, name: str) -> None:
    """Airflow rewrites a version that never ran in place, so nothing may cache the older one."""
    op.post(TYPES, json=small(name, params=PARAMS))
    assert op.post(f"{TYPES}/{name}/jobs", json={"params": {}}).status_code == 422
    second = op.put(f"{TYPES}/{name}", json=small(name)).json()["revision"]
    assert submit(op, name)["revision"] == second


def test_a_submission_repairs_a_dag_that_an_older_parse_overwrote(op: TestClient, name: str) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    op.post(TYPES, json=small(name))
    with create_session(scoped=False) as session:
        session.execute(text("UPDATE dag SET is_stale = true WHERE dag_id = :name"), {"name": name})
    submit(op, name)
    assert op.get(f"/api/v2/dags/{name}").json()["is_stale"] is False


def test_a_deletion_waits_for_a_submission_in_flight(op: TestClient, name: str) -> None:
    from airflow.utils.session import create_session

    from coinrequest.jobs.submission import Submission
    from coinrequest.jobs.submission import submit as start

    op.post(TYPES, json=small(name))
    with ThreadPoolExecutor(1) as pool:
        with create_session(scoped=False) as session:
            start(session, name, Submission(), user="op")
            deletion = pool.submit(op.delete, f"{TYPES}/{name}")
            with pytest.raises(TimeoutError):
                deletion.result(timeout=1)
        assert deletion.result(timeout=30).status_code == 409


def test_the_result_is_the_output_of_the_result_task(op: TestClient, name: str) -> None:
    document = small(name, result="wait")
    document["tasks"].append({**document["tasks"][0], "id": "later", "depends_on": ["wait"]})
    op.post(TYPES, json=document)
    job = submit(op, name)
    finish(name, job["id"], outputs={"wait": {"value": 7}, "later": {"value": 8}})
    found = op.get(f"{JOBS}/{job['id']}").json()
    assert found["state"] == "success"
    assert found["result"] == {"value": 7}
    assert found["error"] is None
    assert found["ended_at"] is not None


def test_the_result_of_a_mapped_task_is_a_list(op: TestClient, name: str) -> None:
    document = small(name)
    document["tasks"][0] |= {"for_each": [1, 2], "inputs": {"value": "{{ item }}"}}
    assert op.post(TYPES, json=document).status_code == 201
    job = submit(op, name)
    finish(name, job["id"], outputs={"wait": [{"value": 1}, {"value": 2}]})
    assert op.get(f"{JOBS}/{job['id']}").json()["result"] == [{"value": 1}, {"value": 2}]


def test_a_failed_job_names_the_task_and_its_log(op: TestClient, name: str) -> None:
    op.post(TYPES, json=small(name))
    job = submit(op, name)
    finish(name, job["id"], state="failed")
    found = op.get(f"{JOBS}/{job['id']}").json()
    assert found["state"] == "failed"
    assert found["result"] is None
    assert found["error"]["task"] == "wait"
    assert found["error"]["log_url"] == f"http://airflow.test/dags/{name}/runs/{job['id']}/tasks/wait"


def test_waiting_ends_when_the_job_does(op: TestClient, name: str) -> None:
    op.post(TYPES, json=small(name))
    job = submit(op, name)
    timer = threading.Timer(0.4, finish, (name, job["id"]))
    timer.start()
    started = time.monotonic()
    found = op.get(f"{JOBS}/{job['id']}?wait=30").json()
    timer.join()
    assert found["state"] == "success"
    assert time.monotonic() - started < 10


def test_waiting_ends_after_its_time_limit(op: TestClient, name: str) -> None:
    op.post(TYPES, json=small(name))
    job = submit(op, name)
    started = time.monotonic()
    assert op.get(f"{JOBS}/{job['id']}?wait=0.3").json()["state"] == "queued"
    assert time.monotonic() - started >= 0.3


def test_the_list_is_newest_first_and_can_be_filtered(op: TestClient, name: str) -> None:
    op.post(TYPES, json=small(name))
    ids = [submit(op, name)["id"] for _ in range(3)]
    finish(name, ids[0])
    first = op.get(f"{JOBS}?type={name}&limit=2").json()
    assert [job["id"] for job in first["jobs"]] == ids[:0:-1]
    rest = op.get(f"{JOBS}?type={name}&limit=2&cursor={first['next_cursor']}").json()
    assert [job["id"] for job in rest["jobs"]] == ids[:1]
    assert rest["next_cursor"] is None
    done = op.get(f"{JOBS}?type={name}&state=success").json()["jobs"]
    assert [job["id"] for job in done] == ids[:1]
    assert op.get(f"{JOBS}?type=no-such-type").json()["jobs"] == []


def test_a_job_whose_run_was_deleted_in_airflow_is_removed(op: TestClient, name: str) -> None:
    op.post(TYPES, json=small(name))
    job = submit(op, name)
    finish(name, job["id"])
    assert op.delete(f"/api/v2/dags/{name}/dagRuns/{job['id']}").status_code == 204
    found = op.get(f"{JOBS}/{job['id']}?wait=30").json()
    assert found["state"] == "removed"
    assert "deleted" in found["error"]["message"]


def test_an_unknown_job_is_not_found(op: TestClient) -> None:
    answer = op.get(f"{JOBS}/0197f1f0-0000-7000-8000-000000000000")
    assert answer.status_code == 404
    assert answer.json()["errors"] == []
