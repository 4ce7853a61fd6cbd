"""Concurrent requests."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from support.client import API
from support.documents import job_type, new_name, wait_task
from support.platform import Platform
from support.waiting import always, eventually


def test_of_two_registrations_of_one_name_one_wins(platform: Platform) -> None:
    clients = [platform.client("op"), platform.client("admin")]
    for _ in range(5):
        name, barrier = new_name("twice"), threading.Barrier(2)

        def register(number: int, name: str = name, barrier: threading.Barrier = barrier) -> int:
            barrier.wait()
            document = job_type(name, wait_task(f"from-{number}"))
            return clients[number].post(f"{API}/job-types", json=document).status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(register, range(2))) == [201, 409]
        changes = platform.op.json(f"{API}/job-types/{name}/revisions")["revisions"]
        assert [change["change"] for change in changes] == ["create"]
        (task,) = platform.airflow(f"/dags/{name}/tasks")["tasks"]
        assert task["task_id"] == platform.op.json(f"{API}/job-types/{name}")["definition"]["tasks"][0]["id"]


def test_a_deleted_type_never_comes_back(platform: Platform) -> None:
    """Each change asks the dag-processor for a parse, so parses of every age are under way."""
    names = [new_name("gone") for _ in range(3)]
    for _ in range(4):
        for name in names:
            platform.register(job_type(name))
        for name in names:
            platform.replace(job_type(name, wait_task("other")))
        for name in names:
            assert platform.op.delete(f"{API}/job-types/{name}").status_code == 204
            assert platform.op.post(f"{API}/job-types/{name}/jobs", json={}).status_code == 404

    def stays_away() -> bool:
        always(lambda: not any(map(platform.dag, names)), seconds=5, what="a deleted type came back")
        return True

    # A parse that was under way may show one in Airflow's list until the bundle is refreshed again; then, never again.
    eventually(stays_away, timeout=15)
    for name in names:
        assert platform.op.get(f"{API}/job-types/{name}").status_code == 404
    errors = [error for error in platform.import_errors() if any(name in error["stack_trace"] for name in names)]
    assert errors == []


def test_every_job_runs_the_revision_that_it_was_accepted_with(platform: Platform, name: str) -> None:
    """Definitions change faster than they are parsed, and a job is submitted after each change."""
    platform.register(job_type(name, wait_task("task-0", 0)))
    jobs = {platform.submit(name): "task-0"}
    for number in range(1, 6):
        platform.replace(job_type(name, wait_task(f"task-{number}", 0)))
        jobs[platform.submit(name)] = f"task-{number}"
    for job, task in jobs.items():
        platform.succeeded(job)
        assert [instance["task_id"] for instance in platform.task_instances(name, job)] == [task]
    assert set(Counter(jobs.values()).values()) == {1}
