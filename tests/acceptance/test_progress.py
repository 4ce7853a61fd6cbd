"""Progress and errors of jobs; a new attempt starts without those of the previous one."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from support.client import API
from support.documents import job_type, new_name, wait_task
from support.platform import Platform
from support.waiting import eventually


def ask_task(url: str, **fields: Any) -> dict[str, Any]:
    return {"id": "ask", "action": "http.request", "inputs": {"url": url}, **fields}


def stored_keys(platform: Platform, name: str, job: str, task: str) -> set[str]:
    """Return the keys of the XComs of a task."""
    entries = platform.airflow(f"/dags/{name}/dagRuns/{job}/taskInstances/{task}/xcomEntries")["xcom_entries"]
    return {entry["key"] for entry in entries}


def test_a_running_job_reports_its_progress(platform: Platform) -> None:
    job = platform.submit("integer", {"value": 5})

    def reported() -> dict[str, Any] | None:
        progress = platform.job(job)["progress"]
        task = progress["running"][0] if progress["running"] else None
        if task is None or not task["done"]:
            return None
        assert (progress["tasks_done"], progress["tasks"]) == (0, 1)
        return dict(task)

    task = eventually(reported, what="a report of progress")
    assert (task["total"], task["message"], task["map_index"]) == (5, "seconds", None)
    age = datetime.now(UTC) - datetime.fromisoformat(task["reported_at"])
    assert timedelta(seconds=-1) < age < timedelta(seconds=5)
    assert 0 < task["done"] < 5
    assert platform.succeeded(job)["progress"] == {"tasks_done": 1, "tasks": 1, "running": []}


def test_the_events_of_a_job_include_its_progress(platform: Platform) -> None:
    job = platform.submit("integer", {"value": 4})
    answer = platform.client("viewer").get(f"{API}/jobs/{job}/events", timeout=60)
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in answer.text.split("\n\n") if block]
    reports = [json.loads(block["data"]) for block in blocks if block.get("event") == "progress"]
    done = [task["done"] for task in reports]
    assert done == sorted(done)
    assert len(done) >= 2
    assert blocks[-1]["event"] == "done"


def test_each_item_of_a_mapped_task_counts(platform: Platform) -> None:
    name = new_name("items")
    platform.register(job_type(name, wait_task("each", "{{ item }}", for_each=[0, 0, 10])))
    job = platform.submit(name)

    def last_one_runs() -> dict[str, Any] | None:
        progress = platform.job(job)["progress"]
        only = progress["running"][0] if len(progress["running"]) == 1 else None
        return dict(only) if only and only["total"] and progress["tasks_done"] == 2 else None

    task = eventually(last_one_runs, what="two items are done and the last one reports")
    assert (task["task"], task["map_index"], task["total"]) == ("each", 2, 10)
    assert platform.succeeded(job)["progress"] == {"tasks_done": 3, "tasks": 3, "running": []}


def test_a_failed_job_has_a_reason(platform: Platform) -> None:
    name = new_name("failing")
    platform.register(job_type(name, ask_task(f"{platform.web.url}/status/418")))
    error = platform.finished(platform.submit(name))["error"]
    assert error["task"] == "ask"
    assert error["message"].startswith("Task 'ask' failed: ")
    assert "418" in error["message"]


def test_the_error_names_the_input_that_does_not_fit(platform: Platform) -> None:
    name = new_name("inputs")
    params = {"type": "object", "properties": {"seconds": {"type": "integer"}}, "required": ["seconds"]}
    platform.register(job_type(name, wait_task(value="{{ params.seconds }}"), params=params))
    error = platform.finished(platform.submit(name, {"seconds": -1}))["error"]
    assert error["message"] == (
        "Task 'wait' failed: the inputs of integer.wait do not fit: inputs.value: must be at least 0"
    )


def test_the_error_of_a_task_that_takes_too_long_names_its_timeout(platform: Platform) -> None:
    name = new_name("slow")
    platform.register(job_type(name, wait_task(value=60, timeout="2s")))
    job = platform.finished(platform.submit(name))
    assert job["error"]["message"] == "Task 'wait' failed: it was not done within its timeout of 2s"
    assert stored_keys(platform, name, job["id"], "wait") == {"coinrequest_failure", "coinrequest_progress"}


def test_a_retry_by_airflow_removes_the_stored_values_of_the_previous_attempt(platform: Platform) -> None:
    """Airflow removes the XComs of an attempt when the next one starts, and the platform relies on it."""
    name = new_name("again")
    platform.register(job_type(name, ask_task(f"{platform.web.url}/flaky/{name}", retries={"max": 1, "delay": "0s"})))
    job = platform.submit(name)
    platform.succeeded(job)
    assert platform.task_instances(name, job)[0]["try_number"] == 2
    assert stored_keys(platform, name, job, "ask") == {"return_value"}


def test_a_retry_of_a_job_removes_its_error(platform: Platform) -> None:
    name = new_name("retried")
    platform.register(job_type(name, ask_task(f"{platform.web.url}/flaky/{name}")))
    job = platform.submit(name)
    assert "503" in platform.finished(job)["error"]["message"]
    platform.retry(job)
    assert platform.succeeded(job)["error"] is None
    assert stored_keys(platform, name, job, "ask") == {"return_value"}
