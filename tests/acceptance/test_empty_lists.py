"""An empty list of items is done with an empty result, and what depends on it runs."""

import json
from typing import Any

from support.client import API
from support.documents import job_type, new_name, params, wait_task
from support.platform import Platform
from support.waiting import eventually

VALUES = params(values={"type": "array", "items": {"type": "integer"}, "default": []})


def each(task_id: str = "each", items: Any = "{{ params.values }}", **fields: Any) -> dict[str, Any]:
    return wait_task(task_id, "{{ item }}", for_each=items, **fields)


def states(platform: Platform, job: str) -> dict[tuple[str, int | None], str]:
    """Return the last state of each task and item that the job's events name."""
    answer = platform.client("viewer").get(f"{API}/jobs/{job}/events", timeout=60)
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in answer.text.split("\n\n") if block]
    changes = [json.loads(block["data"]) for block in blocks if block.get("event") == "task"]
    return {(change["id"], change["map_index"]): change["state"] for change in changes}


def test_what_depends_on_an_empty_list_runs_over_several_levels(platform: Platform) -> None:
    name = new_name("empty")
    tasks = [
        each(),
        each("again", "{{ tasks.each.output }}", depends_on=["each"]),
        wait_task("static", "{{ item }}", for_each=[0, 0], depends_on=["again"]),
        wait_task("last", 0, depends_on=["each", "again", "static"]),
    ]
    platform.register(job_type(name, *tasks, params=VALUES))
    job = platform.submit(name)
    done = platform.succeeded(job)
    assert done["result"]["message"] == "job complete"
    assert done["progress"] == {"tasks_done": 5, "tasks": 5, "running": []}
    assert states(platform, job) == {
        ("each", None): "success",
        ("again", None): "success",
        ("static", 0): "success",
        ("static", 1): "success",
        ("last", None): "success",
    }


def test_the_output_of_a_task_without_items_is_an_empty_list(platform: Platform) -> None:
    name = new_name("empty")
    mail = {
        "id": "mail",
        "action": "email.send",
        "depends_on": ["each"],
        "inputs": {"subject": "outputs", "body": "{{ tasks.each.output }}", "skip_without_server": True},
    }
    platform.register(job_type(name, each(), mail, params=VALUES, result="each"))
    job = platform.submit(name)
    assert platform.succeeded(job)["result"] == []
    log = platform.client("viewer").get(f"{API}/jobs/{job}/log", params={"task": "mail"}).text
    assert "Subject: outputs\n\n[]" in log


def test_a_type_that_follows_one_without_items_runs(platform: Platform) -> None:
    first, second = new_name("first"), new_name("second")
    platform.register(job_type(first, each(), params=VALUES))
    platform.register(job_type(second, schedule={"after": [first]}))
    assert platform.succeeded(platform.submit(first))["result"] == []
    eventually(lambda: platform.jobs(type=second, state="success"), what="the following type has run")


def test_a_failure_before_or_beside_an_empty_list_fails_the_job(platform: Platform) -> None:
    name = new_name("empty")
    bad = wait_task("bad", "{{ params.bad }}")
    tasks = [bad, each(), wait_task("last", 0, depends_on=["bad", "each"])]
    schema = {**VALUES, "properties": {**VALUES["properties"], "bad": {"type": "integer", "default": -1}}}
    platform.register(job_type(name, *tasks, params=schema))
    job = platform.submit(name)
    assert platform.finished(job)["error"]["task"] == "bad"
    assert states(platform, job)["last", None] == "upstream_failed"


def test_a_failed_list_of_items_fails_what_depends_on_it(platform: Platform) -> None:
    name = new_name("items")
    last = wait_task("last", 0, depends_on=["each"])
    platform.register(
        job_type(name, wait_task(), each(items="{{ tasks.wait.output.message }}", depends_on=["wait"]), last)
    )
    job = platform.submit(name)
    error = platform.finished(job)["error"]
    assert (error["task"], error["map_index"]) == ("each", None)
    assert error["message"].startswith("Task 'each' failed: for_each: ")
    assert states(platform, job) == {
        ("wait", None): "success",
        ("each", None): "failed",
        ("last", None): "upstream_failed",
    }
    log = platform.client("viewer").get(f"{API}/jobs/{job}/log", params={"task": "each"})
    assert log.ok, log.text
    assert "not a list" in log.text
