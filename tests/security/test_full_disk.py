"""An agent whose disk is full reports it, takes no tasks, and resumes by itself when there is space."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from starlette.testclient import TestClient
from support.client import API
from support.documents import job_type, wait_task
from support.own_stack import OwnStack
from support.redis_server import redis_server
from support.small_disk import SmallDisk, small_disk
from support.waiting import eventually

from coinrequest.actions.catalogue import action_versions
from coinrequest.airflow.celery_pool import CeleryPool
from coinrequest.airflow.workload import Workload
from coinrequest.stack.options import Options
from coinrequest.worker import disk_space

pytestmark = pytest.mark.faults

_WORKER = """
import pathlib
from celery import Celery

app = Celery("worker", broker={broker!r})
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1, task_acks_late=True,
                imports=["coinrequest.worker.intake", "coinrequest.worker.heartbeat"])

@app.task(name="touch")
def touch(path):
    pathlib.Path(path).touch()
"""


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    # Not below pytest's own folders: those are closed to the account that PostgreSQL runs under.
    root = Path(tempfile.mkdtemp(prefix="coinrequest-disk-"))
    root.chmod(0o755)
    try:
        with small_disk(root / "disk") as mounted:
            yield mounted
    finally:
        shutil.rmtree(root, ignore_errors=True)


def test_the_problem_of_a_disk_is_named(disk: SmallDisk, tmp_path: Path) -> None:
    assert disk_space.problem([disk.folder / "logs"]) is None
    disk.fill()
    assert "No space left on device" in (disk_space.problem([tmp_path, disk.folder / "logs"]) or "")
    disk.clear()
    (disk.folder / "large").write_bytes(bytes(40 * 1024 * 1024))
    assert "KiB are left" in (disk_space.problem([disk.folder]) or "")
    (tmp_path / "file").touch()
    assert "Not a directory" in (disk_space.problem([tmp_path / "file" / "logs"]) or "")


@contextmanager
def worker(folder: Path, broker: str, disk: SmallDisk) -> Iterator[None]:
    (folder / "disk_worker_app.py").write_text(_WORKER.format(broker=broker))
    command = [sys.executable, "-m", "celery", "-A", "disk_worker_app", "worker", "--pool", "solo"]
    command += ["--queues", "default,mail", "--hostname", "one@host", "--loglevel", "WARNING"]
    environment = {
        **os.environ,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(disk.folder),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(disk.folder),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "COINREQUEST_HEARTBEAT_FILE": str(folder / "alive"),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def test_a_worker_takes_no_tasks_until_there_is_space(disk: SmallDisk, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    with redis_server() as socket:
        broker = f"redis+socket://{socket}"
        asking = Celery("asking", broker=broker, set_as_current=False)
        pool = CeleryPool(asking)

        def send(name: str) -> Path:
            asking.send_task("touch", args=(str(tmp_path / name),), queue="mail")
            return tmp_path / name

        with worker(tmp_path, broker, disk):
            first = send("first")
            eventually(first.exists, timeout=60, what="the first task")
            (agent,) = pool.agents()
            assert (agent.trouble, pool.troubles()) == (None, {})
            assert (agent.actions, set(pool.reports()["one@host"].queues)) == (action_versions(), {"default", "mail"})
            disk.fill()
            troubles = eventually(pool.troubles, timeout=20)
            assert "No space left on device" in troubles["one@host"]
            (agent,) = pool.agents()
            assert (agent.trouble, agent.queues) == (troubles["one@host"], ())
            waiting = send("waiting")
            eventually(lambda: alive.read_text() == troubles["one@host"])
            # Several turns of its loop.
            time.sleep(3 * disk_space.EVERY)
            assert not waiting.exists()
            disk.clear()
            eventually(waiting.exists, timeout=20, what="the task that waited")
            assert pool.agents()[0].queues == ("default", "mail")
            assert (pool.troubles(), alive.read_text()) == ({}, "")
        asking.close()


class Client:
    """A stub of the client that Airflow's supervisor uses for the execution API."""

    def __init__(self, left: Any = None) -> None:
        self.xcoms = self
        self.stored: Any = left

    def get(self, *_place: Any) -> Any:
        return SimpleNamespace(value=self.stored)

    def set(self, dag_id: str, run_id: str, task_id: str, key: str, value: Any, map_index: int | None) -> None:
        self.stored = (dag_id, run_id, task_id, map_index, key, value)


@pytest.fixture
def supervisor(disk: SmallDisk, monkeypatch: pytest.MonkeyPatch, airflow_app: Any) -> Any:
    """Airflow's module, with its logs on the small disk."""
    from airflow.sdk.configuration import conf
    from airflow.sdk.execution_time import supervisor

    from coinrequest.worker import task_log

    assert supervisor._configure_logging.__module__ == task_log.__name__
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(disk.folder / "tasks"))
    assert conf.get("logging", "base_log_folder") == str(disk.folder / "tasks")
    task_log.set_supervised(Workload("type", "run", "task", 3, 2, 1))
    return supervisor


def test_a_log_that_fills_the_disk_loses_lines_but_the_reason_is_stored(disk: SmallDisk, supervisor: Any) -> None:
    client = Client()
    logger, file = supervisor._configure_logging("dag_id=x/attempt=2.log", client)
    logger.error("before")
    disk.fill()
    for _ in range(3):
        logger.error("lost" * 1000)
    reason = {"text": "the agent could not write its log: No space left on device", "attempt": 2}
    eventually(lambda: client.stored == ("type", "run", "task", 3, "coinrequest_failure", reason))
    file.close()
    assert "before" in (disk.folder / "tasks" / "dag_id=x" / "attempt=2.log").read_text()


def test_a_reason_that_the_task_has_stored_is_kept(disk: SmallDisk, supervisor: Any) -> None:
    client = Client("it did not work")
    logger, file = supervisor._configure_logging("x.log", client)
    disk.fill()
    logger.error("lost" * 10000)
    file.close()
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name == "failure"])
    assert client.stored == "it did not work"


def test_a_log_that_cannot_be_opened_gives_the_task_back(disk: SmallDisk, supervisor: Any) -> None:
    from coinrequest.worker.task_log import LogUnwritable

    (disk.folder / "tasks").touch()
    with pytest.raises(LogUnwritable, match=r"cannot open the task's log: (Not a directory|File exists)"):
        supervisor._configure_logging("dag_id=y/attempt=1.log", Client())


def test_a_task_without_space_on_the_disk_returns_to_the_broker(
    disk: SmallDisk, supervisor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from celery.exceptions import Reject

    from coinrequest.worker.workloads import only_tasks

    monkeypatch.setattr(disk_space, "EVERY", 0.01)
    begun: list[str] = []
    disk.fill()
    with pytest.raises(Reject, match="No space left on device") as rejected:
        only_tasks(begun.append)('{"type": "ExecuteTask"}')
    assert (rejected.value.requeue, begun) == (True, [])
    disk.clear()
    only_tasks(begun.append)('{"type": "ExecuteTask"}')
    assert len(begun) == 1


def test_a_failure_before_the_action_is_reported(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task's own process cannot write the files of its job type."""
    from airflow.sdk.execution_time import task_runner

    from coinrequest.worker import task_log

    assert task_runner.parse.__module__ == task_log.__name__
    sent: list[Any] = []
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=sent.append), raising=False)
    place = SimpleNamespace(dag_id="type", run_id="run", task_id="task", map_index=-1, try_number=1)

    def parse(_what: Any, _log: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        task_log.record_parse_failure(parse)(SimpleNamespace(ti=place), None)
    (message,) = sent
    assert (message.type, message.key, message.task_id) == ("SetXCom", "coinrequest_failure", "task")
    assert "it could not start" in message.value["text"]
    assert "No space left on device" in message.value["text"]


def test_a_dag_processor_without_space_keeps_its_files_and_catches_up(
    disk: SmallDisk, op: TestClient, name: str, definition: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    from coinrequest.airflow.dag_tables import BUNDLE_NAME
    from coinrequest.generator.shards import read_entries, shard_path

    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(disk.folder))
    assert op.put(f"/jobs/v1/job-types/{name}", json=definition).status_code == 201
    bundle = DagBundlesManager().get_bundle(BUNDLE_NAME)
    bundle.initialize()
    stub = bundle.path / shard_path(name)
    before = read_entries(stub)
    assert str(bundle.path).startswith(str(disk.folder))
    disk.fill()
    # Registering does not ask the dag-processor's disk.
    changed = op.put(f"/jobs/v1/job-types/{name}", json={**definition, "description": "changed"})
    assert changed.status_code == 200
    for _ in range(2):
        with pytest.raises(OSError, match="No space left on device"):
            bundle.refresh()
    assert read_entries(stub) == before
    disk.clear()
    bundle.refresh()
    assert read_entries(stub)[name]["number"] == changed.json()["revision"]
    assert not [path for path in stub.parent.iterdir() if path.name.startswith(".")]


def test_health_reports_a_dag_processor_that_falls_behind(op: TestClient) -> None:
    from airflow.jobs.job import Job
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session(scoped=False) as session:
        job = Job(latest_heartbeat=datetime.now(UTC), state="running")
        job.job_type = "DagProcessorJob"
        session.add(job)

    def refreshed(ago: str) -> dict[str, Any]:
        with create_session(scoped=False) as session:
            session.execute(
                text("UPDATE dag_bundle SET last_refreshed = now() - CAST(:ago AS interval) WHERE name = 'job_types'"),
                {"ago": ago},
            )
        return dict(op.get("/jobs/v1/health").json()["components"]["dag_processor"])

    try:
        assert refreshed("30 s")["status"] == "healthy"
        late = refreshed("10 min")
        assert late["status"] == "unhealthy"
        assert "has not refreshed the files of the job types for 60" in late["detail"]
    finally:
        with create_session(scoped=False) as session:
            session.execute(text("UPDATE dag_bundle SET last_refreshed = NULL"))
            session.execute(text("DELETE FROM job WHERE job_type = 'DagProcessorJob'"))


def test_jobs_wait_while_there_is_no_space_for_logs(own_stack: OwnStack, disk: SmallDisk, name: str) -> None:
    options = Options(agents=1, concurrency=2, overrides={"logging.base_log_folder": str(disk.folder / "tasks")})
    with own_stack(options) as platform:
        platform.register(job_type(name, wait_task(value="{{ params.value }}"), params=_params()))
        platform.run(name, {"value": 0})
        platform.register(job_type(f"{name}-late", {**wait_task(value=60), "timeout": "12s"}))
        running, late = platform.submit(name, {"value": 12}), platform.submit(f"{name}-late")
        for job in (running, late):
            platform.await_state(job, "running")
        eventually(lambda: len(platform.client("viewer").json(f"{API}/agents")["agents"][0]["running"]) == 2)
        disk.fill()

        # It is said where one looks.
        def said() -> str:
            agents = platform.client("viewer").json(f"{API}/agents")["agents"]
            return str((agents and agents[0]["trouble"]) or "")

        assert "No space left on device" in eventually(said, timeout=30)
        health = eventually(lambda: platform.health()["components"].get("agents"), timeout=30)
        assert "takes no tasks: it cannot write in" in health["detail"]
        # What runs goes on without its log; what waits, waits.
        waiting = platform.submit(name, {"value": 0})
        assert platform.succeeded(running)["result"]["value"] == 12
        assert platform.job(waiting)["state"] in ("queued", "running")
        assert "was not done within its timeout of 12s" in platform.finished(late)["error"]["message"]
        assert platform.job(waiting)["state"] in ("queued", "running")
        disk.clear()
        platform.succeeded(waiting, timeout=60)
        log = platform.stack.layout.log("agent-1").read_text()
        assert "The agent takes no tasks: it cannot write in" in log
        assert "The agent takes tasks again" in log
        assert (
            "agents"
            not in eventually(
                lambda: platform.health() if "agents" not in platform.health()["components"] else None, timeout=30
            )["components"]
        )


def _params() -> dict[str, Any]:
    return {"type": "object", "properties": {"value": {"type": "integer"}}}
