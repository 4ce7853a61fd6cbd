"""A task that always runs reports a failure, and the job is failed all the same."""

from typing import Any

from support.client import API
from support.documents import job_type, new_name, params, wait_task
from support.platform import Platform

SECONDS = params(seconds={"type": "integer"})


def report(*after: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "report",
        "action": "email.send",
        "depends_on": list(after),
        "when": "always",
        "inputs": {
            "subject": " and ".join(f"{name} {{{{ tasks.{name}.state }}}}" for name in after),
            "body": " / ".join(f"{{{{ tasks.{name}.error }}}}" for name in after) + " {{ tasks.wait.output }}",
            "skip_without_server": True,
        },
        **fields,
    }


def mail(platform: Platform, job: str) -> str:
    return str(platform.client("viewer").get(f"{API}/jobs/{job}/log", params={"task": "report"}).text)


def test_a_report_runs_after_a_failure_and_the_job_is_failed(platform: Platform) -> None:
    name = new_name("report")
    later = wait_task("later", depends_on=["wait"])
    platform.register(
        job_type(name, wait_task(value="{{ params.seconds }}"), later, report("wait", "later"), params=SECONDS)
    )
    job = platform.submit(name, {"seconds": -1})
    done = platform.finished(job)
    assert (done["state"], done["error"]["task"]) == ("failed", "wait")
    assert "Subject: wait failed and later not run" in mail(platform, job)
    assert "must be at least 0 / null null" in mail(platform, job)
    good = platform.submit(name, {"seconds": 0})
    assert platform.finished(good)["state"] == "success"
    assert "Subject: wait success and later success" in mail(platform, good)


def test_a_report_about_items_has_the_reason_of_one_that_failed(platform: Platform) -> None:
    name = new_name("report")
    each = wait_task("wait", "{{ item }}", for_each="{{ params.values }}")
    values = params(values={"type": "array", "items": {"type": "integer"}})
    platform.register(job_type(name, each, report("wait"), params=values))
    job = platform.submit(name, {"values": [0, -1]})
    assert platform.finished(job)["state"] == "failed"
    assert "Subject: wait failed" in mail(platform, job)
    assert "must be at least 0" in mail(platform, job)
    empty = platform.submit(name, {"values": []})
    assert platform.finished(empty)["state"] == "success"
    assert "Subject: wait success" in mail(platform, empty)


def test_a_retry_runs_the_report_again(platform: Platform) -> None:
    name = new_name("report")
    ask = {"id": "wait", "action": "http.request", "inputs": {"url": f"{platform.web.url}/flaky/{name}"}}
    platform.register(job_type(name, ask, report("wait")))
    job = platform.submit(name)
    assert platform.finished(job)["state"] == "failed"
    platform.retry(job)
    assert platform.finished(job)["state"] == "success"
    assert "Subject: wait success" in mail(platform, job)
