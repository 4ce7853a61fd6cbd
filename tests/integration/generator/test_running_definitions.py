"""The effect of each part of a definition when a job runs."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from support.client import API
from support.documents import job_type, new_name, params, wait_task
from support.platform import Platform
from support.waiting import eventually


def _echo(platform: Platform, task_id: str, document: object, **fields: Any) -> dict[str, Any]:
    inputs = {"url": f"{platform.web.url}/echo", "method": "POST", "json": document}
    return {"id": task_id, "action": "http.request", "inputs": inputs, **fields}


def test_references_keep_their_types_and_turn_into_text_inside_text(platform: Platform, name: str) -> None:
    sent = {
        "number": "{{ params.number }}",
        "list": "{{ params.list }}",
        "text": "{{ params.number }} of {{ params.list }}",
        "job": "{{ job.id }}",
        "type": "{{ job.type }}",
        "output": "{{ tasks.first.output.value }}",
        "whole": "{{ tasks.first.output }}",
    }
    schema = params(number={"type": "number"}, list={"type": "array"})
    document = job_type(name, wait_task("first", 0), _echo(platform, "echo", sent, depends_on=["first"]), params=schema)
    platform.register(document)
    job = platform.run(name, {"number": 1.5, "list": [1, "two", None]})
    assert job["result"]["json"] == {
        "number": 1.5,
        "list": [1, "two", None],
        "text": '1.5 of [1, "two", null]',
        "job": job["id"],
        "type": name,
        "output": 0,
        "whole": {"value": 0, "message": "job complete"},
    }


def test_for_each_over_params_and_over_an_output(platform: Platform, name: str) -> None:
    platform.register(
        job_type(
            name,
            wait_task("waits", "{{ item.seconds }}", for_each="{{ params.items }}"),
            _echo(platform, "numbers", "{{ tasks.waits.output }}", depends_on=["waits"]),
            wait_task("again", "{{ item.value }}", for_each="{{ tasks.numbers.output.json }}", depends_on=["numbers"]),
            params=params(items={"type": "array"}),
        )
    )
    job = platform.run(name, {"items": [{"seconds": 0}, {"seconds": 1}, {"seconds": 0}]}, timeout=90)
    assert [result["value"] for result in job["result"]] == [0, 1, 0]
    instances = [task for task in platform.task_instances(name, job["id"]) if task["task_id"] == "waits"]
    assert sorted(task["map_index"] for task in instances) == [0, 1, 2]


def test_for_each_over_a_value_that_is_no_list_fails_with_the_reason(platform: Platform, name: str) -> None:
    echo = _echo(platform, "echo", "{{ params.items }}")
    waits = wait_task("waits", "{{ item }}", for_each="{{ tasks.echo.output.json }}", depends_on=["echo"])
    platform.register(job_type(name, echo, waits, params=params(items={})))
    job = platform.finished(platform.submit(name, {"items": "no list"}))
    assert job["state"] == "failed"
    assert "is text, not a list" in job["error"]["message"]


def test_a_task_is_retried(platform: Platform, name: str) -> None:
    url = f"{platform.web.url}/flaky/{name}"
    task = {"id": "get", "action": "http.request", "inputs": {"url": url}, "retries": {"max": 1, "delay": "0s"}}
    platform.register(job_type(name, task))
    job = platform.run(name)
    assert job["result"]["status"] == 200
    assert platform.task_instances(name, job["id"])[0]["try_number"] == 2


def test_time_limits_of_a_task_and_of_a_job(platform: Platform) -> None:
    task, job = new_name("task"), new_name("job")
    platform.register(job_type(task, wait_task(value=60, timeout="1s")))
    platform.register(job_type(job, wait_task(value=60), timeout="2s"))
    started = {name: platform.submit(name) for name in (task, job)}
    ended = {name: platform.finished(job_id, timeout=45) for name, job_id in started.items()}
    assert {found["state"] for found in ended.values()} == {"failed"}
    assert ended[task]["error"]["task"] == "wait"
    assert "not done within its timeout of 2s" in ended[job]["error"]["message"]


def test_a_result_over_a_mebibyte_fails_with_the_reason(platform: Platform, name: str) -> None:
    platform.register(
        job_type(name, {"id": "get", "action": "http.request", "inputs": {"url": f"{platform.web.url}/large"}})
    )
    job = platform.finished(platform.submit(name))
    assert (job["state"], job["error"]["task"]) == ("failed", "get")
    assert "the limit is 1,048,576" in platform.task_logs(name, job["id"], width=10_000)


def test_max_jobs_is_never_exceeded(platform: Platform, name: str) -> None:
    platform.register(job_type(name, wait_task(value=1), concurrency={"max_jobs": 1}))
    jobs = [platform.succeeded(job) for job in platform.submit_all(name, [{}] * 3)]
    spans = sorted((datetime.fromisoformat(job["started_at"]), datetime.fromisoformat(job["ended_at"])) for job in jobs)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))


def test_an_interval_starts_jobs(platform: Platform, name: str) -> None:
    platform.register(job_type(name, schedule={"every": "2s"}))
    eventually(lambda: len(_runs(platform, name, "success")) >= 2, timeout=45, what="two scheduled runs")
    platform.replace(job_type(name))
    first, second, *_ = sorted(datetime.fromisoformat(run["run_after"]) for run in _runs(platform, name, "success"))
    assert (second - first) % timedelta(seconds=2) == timedelta(0)
    assert {run["run_type"] for run in _runs(platform, name, "success")} == {"scheduled"}
    eventually(lambda: platform.op.delete(f"{API}/job-types/{name}").status_code == 204)


def test_a_type_runs_after_another_has_succeeded(platform: Platform, name: str) -> None:
    after = new_name("after")
    platform.register(job_type(name, wait_task(value="{{ params.value }}"), params=params(value={"type": "integer"})))
    unknown = platform.op.post(f"{API}/job-types", json=job_type(after, schedule={"after": [after + "-unknown"]}))
    assert unknown.status_code == 422
    platform.register(job_type(after, schedule={"after": [name]}))
    job = platform.run(name, {"value": 0})
    runs = eventually(lambda: _runs(platform, after, "success"), timeout=45, what="a run after the other type")
    assert len(runs) == 1
    assert datetime.fromisoformat(runs[0]["start_date"]) >= datetime.fromisoformat(job["started_at"])


def test_a_followed_type_that_comes_back_is_followed_again(platform: Platform, name: str) -> None:
    after = new_name("after")
    platform.register(job_type(name))
    platform.register(job_type(after, schedule={"after": [name]}))
    assert platform.op.delete(f"{API}/job-types/{name}").status_code == 409
    assert platform.op.delete(f"{API}/job-types/{name}?force=true").status_code == 204
    platform.register(job_type(name))
    platform.run(name)
    eventually(lambda: _runs(platform, after, "success"), timeout=45, what="a run after the type that came back")


def test_a_follower_at_its_limit_loses_nothing(platform: Platform, name: str) -> None:
    after = new_name("after")
    platform.register(job_type(name))
    platform.register(job_type(after, wait_task(value=4), schedule={"after": [name]}, concurrency={"max_jobs": 1}))
    platform.run(name)
    eventually(lambda: _runs(platform, after, "running"), timeout=45, what="the first run after it")
    platform.run(name)
    assert _runs(platform, after, "running"), "the second success came too late"
    eventually(lambda: len(_runs(platform, after, "success")) == 2, timeout=45, what="the second run after it")


def _runs(platform: Platform, name: str, state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = platform.airflow(f"/dags/{name}/dagRuns?state={state}&limit=100")["dag_runs"]
    return found
