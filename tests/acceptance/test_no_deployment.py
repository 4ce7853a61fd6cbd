"""A job type is defined through the API and needs no deployment."""

import hashlib
import json
import time
from pathlib import Path

from support.client import API
from support.documents import job_type, params, wait_task
from support.platform import Platform

from coinrequest.stack.layout import project_root

# What is written while people and tests work; nothing in it is ever deployed.
_IGNORED = {".git", ".venv", ".stack", "__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".hypothesis"}
_DEPLOYED = ("coinrequest", "config", "dags", "plugins")


def test_a_new_type_is_a_runnable_dag_and_nothing_was_deployed(platform: Platform, name: str) -> None:
    files, processes = _deployed_files(), platform.process_ids()
    document = job_type(
        name,
        wait_task("first", value="{{ params.seconds }}"),
        wait_task("second", value=0, depends_on=["first"]),
        params=params(seconds={"type": "integer", "minimum": 0, "default": 0}),
        tags=["never-seen"],
    )
    started = time.monotonic()
    answer = platform.op.post(f"{API}/job-types", json=document)
    took = time.monotonic() - started
    assert answer.status_code == 201, answer.text
    assert answer.json()["definition"] == document
    assert _deployed_files() == files

    dag = platform.airflow(f"/dags/{name}")
    assert (dag["is_stale"], dag["is_paused"], dag["bundle_name"]) == (False, False, "job_types")
    assert "never-seen" in [tag["name"] for tag in dag["tags"]]
    tasks = {task["task_id"]: task["downstream_task_ids"] for task in platform.airflow(f"/dags/{name}/tasks")["tasks"]}
    assert tasks == {"first": ["second"], "second": []}

    run_id = platform.trigger(name, {"seconds": 1})
    platform.run_succeeded(name, run_id)
    assert json.loads(platform.output(name, run_id, "first"))["value"] == 1
    assert [task["state"] for task in platform.task_instances(name, run_id)] == ["success", "success"]
    assert platform.run(name, {"seconds": 0})["state"] == "success"

    assert platform.process_ids() == processes
    # Generous: the figure itself is measured by the benchmark, not on a machine that runs tests.
    assert took < 5


def test_yaml_is_accepted_and_comes_back_unchanged(platform: Platform, name: str) -> None:
    text = f"# a comment\nname: {name}\ntasks:\n  - {{id: wait, action: integer.wait, inputs: {{value: 0}}}}\n"
    answer = platform.op.post(f"{API}/job-types", data=text.encode(), headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 201, answer.text
    assert platform.op.json(f"{API}/job-types/{name}")["definition"] == job_type(name)
    assert platform.run(name)["state"] == "success"


def _deployed_files() -> dict[Path, str]:
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in _DEPLOYED
        for path in (project_root() / folder).rglob("*")
        if path.is_file() and not _IGNORED.intersection(path.parts)
    }
