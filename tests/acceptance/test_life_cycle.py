"""The life of a job type, and that it survives a restart."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.client import API
from support.documents import job_type, wait_task
from support.platform import Platform
from support.waiting import always, eventually


def _says(name: str, value: int, *more: dict[str, Any]) -> dict[str, Any]:
    return job_type(name, wait_task("first", 3), wait_task("last", value, depends_on=["first"]), *more)


def test_a_running_job_keeps_its_definition_and_the_next_gets_the_new_one(platform: Platform, name: str) -> None:
    first = platform.register(_says(name, 0))
    before = platform.submit(name)
    platform.await_state(before, "running")
    document = job_type(name, wait_task("other", 1))
    second = platform.replace(document)
    assert second["revision"] > first["revision"]
    after = platform.submit(name)
    assert platform.succeeded(after)["result"]["value"] == 1
    old = platform.succeeded(before)
    assert old["result"]["value"] == 0
    assert (old["revision"], platform.job(after)["revision"]) == (first["revision"], second["revision"])
    assert {task["task_id"] for task in platform.task_instances(name, before)} == {"first", "last"}
    assert {task["task_id"] for task in platform.task_instances(name, after)} == {"other"}


def test_list_get_pause_and_resume(platform: Platform, name: str) -> None:
    document = job_type(name, description="to be listed")
    platform.register(document)
    assert platform.op.json(f"{API}/job-types/{name}")["definition"] == document
    listed = _listed(platform)
    assert listed[name]["description"] == "to be listed"
    assert platform.op.post(f"{API}/job-types/{name}/pause").json()["paused"] is True
    refused = platform.op.post(f"{API}/job-types/{name}/jobs", json={})
    assert refused.status_code == 409
    assert "resume" in refused.json()["detail"]
    assert platform.airflow(f"/dags/{name}")["is_paused"] is True
    assert platform.op.post(f"{API}/job-types/{name}/resume").json()["paused"] is False
    platform.run(name)


def test_a_pause_holds_the_next_task_of_a_running_job(platform: Platform, name: str) -> None:
    platform.register(_says(name, 0))
    job = platform.submit(name)

    def states() -> dict[str, Any]:
        return {task["task_id"]: task["state"] for task in platform.task_instances(name, job)}

    eventually(lambda: states()["first"] == "running", timeout=30, what="the first task runs")
    assert platform.op.post(f"{API}/job-types/{name}/pause").ok
    eventually(lambda: states()["first"] == "success", timeout=30, what="the task that ran is finished")
    always(lambda: states()["last"] in (None, "scheduled"), seconds=2)
    waiting = platform.job(job)["waiting_for"]
    assert (waiting["kind"], waiting["task"]) == ("paused", "last")
    assert platform.op.post(f"{API}/job-types/{name}/resume").ok
    platform.succeeded(job)


def test_duplicates_and_unknown_names(platform: Platform, name: str) -> None:
    document = job_type(name)
    assert platform.op.get(f"{API}/job-types/{name}").status_code == 404
    assert platform.op.delete(f"{API}/job-types/{name}").status_code == 404
    assert platform.op.post(f"{API}/job-types/{name}/jobs", json={}).status_code == 404
    platform.register(document)
    assert platform.op.post(f"{API}/job-types", json=document).status_code == 409
    stale = platform.op.put(f"{API}/job-types/{name}", json=document, headers={"If-Match": '"1"'})
    assert stale.status_code == 412


def test_deletion_is_at_once_and_keeps_the_history(platform: Platform, name: str) -> None:
    revision = platform.register(job_type(name, wait_task(value=1)))["revision"]
    job = platform.run(name)
    assert platform.op.delete(f"{API}/job-types/{name}").status_code == 204
    assert platform.dag(name) is None
    assert platform.op.get(f"{API}/job-types/{name}").status_code == 404
    assert platform.client("admin").post(f"/api/v2/dags/{name}/dagRuns", json={"logical_date": None}).status_code == 404
    kept = platform.job(job["id"])
    assert (kept["state"], kept["result"]) == ("success", job["result"])
    assert [task["state"] for task in platform.task_instances(name, job["id"])] == ["success"]
    changes = platform.op.json(f"{API}/job-types/{name}/revisions")["revisions"]
    assert [change["change"] for change in changes] == ["delete", "create"]
    assert platform.op.json(f"{API}/job-types/{name}/revisions/{revision}")["definition"]["name"] == name
    always(lambda: platform.dag(name) is None, seconds=3, what="the deleted type came back")
    platform.register(job_type(name))
    platform.run(name)


@pytest.mark.faults
def test_everything_survives_a_restart(platform: Platform) -> None:
    """The web server, the scheduler and the DAG processor restart, while a job waits to be started."""
    from support.documents import new_name

    kept, changed, gone = (new_name(prefix) for prefix in ("kept", "changed", "gone"))
    for name in (kept, changed, gone):
        platform.register(job_type(name))
    platform.replace(job_type(changed, wait_task("other", 0)))
    done = platform.run(changed)["id"]
    assert platform.op.delete(f"{API}/job-types/{gone}").status_code == 204
    waiting = platform.submit("integer", {"value": 0}, run_after=(datetime.now(UTC) + timedelta(seconds=3)).isoformat())

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(platform.stack.restart, ("scheduler", "dag-processor", "api-server")))
    platform.await_healthy()

    assert {kept, changed, "integer"} <= set(_listed(platform))
    assert gone not in _listed(platform)
    assert platform.dag(gone) is None
    assert platform.job(done)["state"] == "success"
    platform.run(kept)
    platform.run(changed)
    platform.succeeded(waiting)
    # The DAG processor has looked at everything again, and nothing came or went by that.
    eventually(lambda: platform.dag("btc_price_operator"), timeout=60)
    assert platform.dag(gone) is None
    assert platform.dag(kept) is not None


def _listed(platform: Platform) -> dict[str, Any]:
    found: dict[str, Any] = {}
    address: str | None = f"{API}/job-types?limit=100"
    while address:
        page = platform.op.json(address)
        found |= {entry["name"]: entry for entry in page["job_types"]}
        cursor = page["next_cursor"]
        address = cursor and f"{API}/job-types?limit=100&cursor={cursor}"
    return found
