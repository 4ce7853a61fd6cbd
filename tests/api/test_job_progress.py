"""The progress of a job, and the reason of its failure."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import definition as small
from support.api_environment import finish

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"
NOW = datetime.now(UTC)


def start(op: TestClient, name: str, **fields: Any) -> dict[str, Any]:
    assert op.post(TYPES, json=small(name, **fields)).status_code == 201
    found: dict[str, Any] = op.post(f"{TYPES}/{name}/jobs", json={}).json()
    return found


def leave(job: dict[str, Any], key: str, value: Any, task: str = "wait", map_index: int = -1) -> None:
    """Store an XCom as `xcom_push` of a task does."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        XComModel.set(
            key=key,
            value=value,
            dag_id=job["job_type"],
            task_id=task,
            run_id=job["id"],
            map_index=map_index,
            serialize=False,
            session=session,
        )


def put(job: dict[str, Any], state: str, *, attempt: int = 1, began: datetime = NOW, map_index: int = -1) -> None:
    """Set the state of a task, or of an item of it."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session(scoped=False) as session:
        session.execute(
            text(
                "UPDATE task_instance SET state = :state, try_number = :attempt, start_date = :began"
                " WHERE dag_id = :dag_id AND run_id = :run_id AND map_index = :map_index"
            ),
            {
                "dag_id": job["job_type"],
                "run_id": job["id"],
                "state": state,
                "attempt": attempt,
                "began": began,
                "map_index": map_index,
            },
        )


def report(done: Any, total: Any = None, message: Any = "", at: datetime = NOW) -> dict[str, Any]:
    return {"done": done, "total": total, "message": message, "reported_at": at.isoformat()}


def failure(text: str, attempt: int = 1) -> dict[str, Any]:
    return {"text": text, "attempt": attempt}


def progress(op: TestClient, job: dict[str, Any]) -> Any:
    return op.get(f"{JOBS}/{job['id']}").json()["progress"]


def running(*, task: str = "wait", map_index: int | None = None, **said: Any) -> dict[str, Any]:
    nothing = {"done": None, "total": None, "message": None, "reported_at": None}
    return {"task": task, "map_index": map_index, **nothing, **said}


def test_a_job_has_its_progress_from_start_to_end(op: TestClient, name: str) -> None:
    job = start(op, name)
    assert progress(op, job) == {"tasks_done": 0, "tasks": 1, "running": []}
    put(job, "running")
    assert progress(op, job) == {"tasks_done": 0, "tasks": 1, "running": [running()]}
    leave(job, "coinrequest_progress", report(3, 10, "rows"))
    (task,) = progress(op, job)["running"]
    assert datetime.fromisoformat(task["reported_at"]) == NOW
    assert task == running(done=3, total=10, message="rows", reported_at=task["reported_at"])
    finish(name, job["id"], outputs={"wait": {"value": 0}})
    assert progress(op, job) == {"tasks_done": 1, "tasks": 1, "running": []}


def test_a_report_is_shown_as_the_task_sent_it(op: TestClient, name: str) -> None:
    job = start(op, name)
    put(job, "running")
    leave(job, "coinrequest_progress", json.dumps(report(0.5)))
    assert progress(op, job)["running"][0]["done"] == 0.5


def test_the_report_of_an_earlier_attempt_is_not_shown(op: TestClient, name: str) -> None:
    job = start(op, name)
    leave(job, "coinrequest_progress", report(9, 10, at=NOW - timedelta(seconds=1)))
    put(job, "running", attempt=2)
    assert progress(op, job)["running"] == [running()]


@pytest.mark.parametrize(
    "entry",
    ["half", "3", '"text"', [], {}, {"done": 1}, report("many"), report(True), {**report(1), "reported_at": "today"}],
    ids=["half", "number", "text", "list", "empty", "unfinished", "many", "true", "today"],
)
def test_a_malformed_report_hides_nothing_else(op: TestClient, name: str, entry: Any) -> None:
    job = start(op, name)
    put(job, "running")
    leave(job, "coinrequest_progress", entry)
    assert progress(op, job) == {"tasks_done": 0, "tasks": 1, "running": [running()]}


def test_each_item_of_a_mapped_task_counts(op: TestClient, name: str) -> None:
    each = {"id": "wait", "action": "integer.wait", "inputs": {"value": "{{ item }}"}, "for_each": [0, 0, 0]}
    job = start(op, name, tasks=[each])
    put(job, "success", map_index=0)
    put(job, "running", map_index=1)
    put(job, "running", map_index=2, began=NOW - timedelta(seconds=5))
    leave(job, "coinrequest_progress", report(1, 2), map_index=1)
    found = progress(op, job)
    assert (found["tasks_done"], found["tasks"]) == (1, 3)
    assert [(task["map_index"], task["done"]) for task in found["running"]] == [(2, None), (1, 1)]


def test_the_step_that_resolves_the_items_does_not_count_as_a_task(op: TestClient, name: str) -> None:
    each = {
        "id": "wait",
        "action": "integer.wait",
        "inputs": {"value": "{{ item }}"},
        "for_each": "{{ params.values }}",
    }
    values = {"type": "array", "items": {"type": "integer"}, "default": [0]}
    job = start(op, name, tasks=[each], params={"type": "object", "properties": {"values": values}})
    assert progress(op, job) == {"tasks_done": 0, "tasks": 1, "running": []}


def test_lists_have_no_progress(op: TestClient, name: str) -> None:
    start(op, name)
    (line,) = op.get(JOBS, params={"type": name}).json()["jobs"]
    assert "progress" not in line


def test_reports_are_events(op: TestClient, name: str) -> None:
    job = start(op, name)
    put(job, "running")
    leave(job, "coinrequest_progress", report(1, 4, "rows"))
    timers = [
        threading.Timer(0.6, leave, (job, "coinrequest_progress", report(2, 4, "rows"))),
        threading.Timer(2.0, finish, (name, job["id"])),
    ]
    for timer in timers:
        timer.start()
    answer = op.get(f"{JOBS}/{job['id']}/events")
    for timer in timers:
        timer.join()
    events = [
        dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        for block in answer.text.split("\n\n")
        if "event: progress" in block
    ]
    told = [json.loads(event["data"]) for event in events]
    assert [(task["task"], task["done"], task["total"], task["message"]) for task in told] == [
        ("wait", 1, 4, "rows"),
        ("wait", 2, 4, "rows"),
    ]


def test_the_reason_of_a_failure_is_the_error_of_the_job(op: TestClient, name: str) -> None:
    job = start(op, name)
    leave(job, "coinrequest_failure", failure("coinbase: no answer within 10 seconds"))
    put(job, "running")
    finish(name, job["id"], "failed")
    error = op.get(f"{JOBS}/{job['id']}").json()["error"]
    assert (error["task"], error["map_index"]) == ("wait", None)
    assert error["message"] == "Task 'wait' failed: coinbase: no answer within 10 seconds"


@pytest.mark.parametrize("entry", [failure("of the first attempt", 1), failure("", 2), "text", 7, None, {}], ids=str)
def test_a_failure_without_a_reason_says_what_is_known(op: TestClient, name: str, entry: Any) -> None:
    job = start(op, name)
    leave(job, "coinrequest_failure", entry)
    put(job, "running", attempt=2)
    finish(name, job["id"], "failed")
    assert op.get(f"{JOBS}/{job['id']}").json()["error"]["message"] == (
        "Task 'wait' failed: it was ended from outside before an agent started it, and Airflow's audit log names nobody"
    )
