"""Tasks that are not in the definition are shown as the task that they help, and items count from 1 in sentences."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import definition as small

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"
VALUES = {"type": "array", "items": {"type": "integer"}, "default": []}
EACH = {"id": "each", "action": "integer.wait", "inputs": {"value": "{{ item }}"}}


def start(op: TestClient, name: str, **fields: Any) -> dict[str, Any]:
    params = {"type": "object", "properties": {"values": VALUES}}
    answer = op.post(TYPES, json=small(name, params=params, tasks=[{**EACH, **fields}]))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = op.post(f"{TYPES}/{name}/jobs", json={}).json()
    return found


def execute(job: dict[str, Any], *statements: str) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session(scoped=False) as session:
        for statement in statements:
            session.execute(text(statement), {"dag": job["job_type"], "run": job["id"]})


def put(task: str, state: str, map_index: int = -1) -> str:
    return (
        f"UPDATE task_instance SET state = '{state}', try_number = 1, start_date = now(), end_date = now()"  # noqa: S608
        f" WHERE dag_id = :dag AND run_id = :run AND task_id = '{task}' AND map_index = {map_index}"
    )


def end(state: str) -> str:
    return (
        f"UPDATE dag_run SET state = '{state}', start_date = now(), end_date = now()"  # noqa: S608
        " WHERE dag_id = :dag AND run_id = :run"
    )


def changes(op: TestClient, job: dict[str, Any]) -> list[tuple[str, int | None, str]]:
    """Return the tasks, items and states of a job's events, once it has ended."""
    blocks = op.get(f"{JOBS}/{job['id']}/events").text.split("\n\n")
    events = [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in blocks]
    found = [json.loads(event["data"]) for event in events if event.get("event") == "task"]
    return [(change["id"], change["map_index"], change["state"]) for change in found]


def test_a_list_without_items_is_a_success_with_an_empty_result(op: TestClient, name: str) -> None:
    job = start(op, name, for_each="{{ params.values }}")
    execute(
        job,
        put("each.items", "success"),
        "INSERT INTO task_map (dag_id, task_id, run_id, map_index, length) VALUES (:dag, 'each.items', :run, -1, 0)",
        put("each", "skipped"),
        end("success"),
    )
    assert changes(op, job) == [("each", None, "success")]
    found = op.get(f"{JOBS}/{job['id']}").json()
    assert (found["state"], found["result"]) == ("success", [])
    assert found["progress"] == {"tasks_done": 1, "tasks": 1, "running": []}


def test_what_a_cancelled_job_has_not_begun_is_skipped(op: TestClient, name: str) -> None:
    job = start(op, name, for_each="{{ params.values }}")
    execute(job, put("each.items", "skipped"), put("each", "skipped"), end("failed"))
    assert changes(op, job) == [("each", None, "skipped")]


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
def test_a_task_whose_items_cannot_be_resolved_has_failed_itself(op: TestClient, name: str) -> None:
    job = start(op, name, for_each="{{ params.values }}")
    execute(job, put("each.items", "failed"), put("each", "upstream_failed"), end("failed"))
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        XComModel.set(
            key="coinrequest_failure",
            value=json.dumps({"text": "for_each: it is no list", "attempt": 1}),
            dag_id=name,
            task_id="each.items",
            run_id=job["id"],
            map_index=-1,
            serialize=False,
            session=session,
        )
    assert changes(op, job) == [("each", None, "failed")]
    error = op.get(f"{JOBS}/{job['id']}").json()["error"]
    assert (error["task"], error["map_index"]) == ("each", None)
    assert error["message"] == "Task 'each' failed: for_each: it is no list"
    # The address in Airflow's UI is where the log is.
    assert error["log_url"].endswith("/tasks/each.items")
    # There is no file of this attempt, so the text is of Airflow's reader; without an attempt it would be a 404.
    assert op.get(f"{JOBS}/{job['id']}/log?task=each").status_code == 200


def test_an_item_counts_from_1_in_the_error(op: TestClient, name: str) -> None:
    job = start(op, name, for_each=[0, 0, 0])
    execute(job, *(put("each", "success", item) for item in (0, 1)), put("each", "failed", 2), end("failed"))
    error = op.get(f"{JOBS}/{job['id']}").json()["error"]
    assert (error["task"], error["map_index"]) == ("each", 2)
    assert error["message"].startswith("Task 'each' (item 3 of 3) failed")
    answer = op.get(f"{JOBS}/{job['id']}/log?task=each&map_index=3")
    assert answer.json()["detail"] == "Task 'each' has no map_index 3, which counts from 0; it has 0 to 2"
