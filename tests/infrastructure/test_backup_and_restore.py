"""A backup of the running platform, restored into an empty one: all data is there, and work goes on.

The shared platform is what is backed up, which it does not notice; the copy on the "empty machine" is another project.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.client import API, Client
from support.compose import ROOT, ComposeStack, left_of
from support.documents import job_type, new_name
from support.waiting import eventually

pytestmark = pytest.mark.containers

FILES = ("database.dump", "logs.tar.gz", "manifest.json", "secrets.json")
SCRIPT_SECONDS = 600.0


@dataclass
class Source:
    """The data of the platform when the backup was written."""

    sign_in: dict[str, str]
    job: dict[str, Any]
    log: str
    waiting: str
    revisions: dict[str, int]
    connection: str
    connected: str
    scheduled: str
    paused: str


@dataclass
class Restored:
    """The platform that a backup was restored into, and what happened during the restore."""

    stack: ComposeStack
    source: Source
    folder: Path
    backup: Path
    began: datetime


def script(name: str, stack: ComposeStack, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run scripts/backup or scripts/restore for a project, without a terminal."""
    return subprocess.run(
        [ROOT / "scripts" / name, "--project", stack.project, *words],
        env=stack.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SCRIPT_SECONDS,
    )


def written(stack: ComposeStack, *words: str | Path) -> Path:
    answer = script("backup", stack, *words)
    assert answer.returncode == 0, answer.stderr
    return Path(answer.stdout.strip())


def register(client: Client, document: dict[str, Any]) -> int:
    answer = client.post(f"{API}/job-types", json=document)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["revision"])


def use(stack: ComposeStack) -> Source:
    """Create data of every kind on a platform."""
    op, shown = stack.client("op"), stack.sign_in()
    connection, connected, scheduled, paused = (new_name(kind) for kind in ("own", "connected", "scheduled", "paused"))
    # The platform's own API is what the connection leads to; its password is a token, which agents send.
    credentials = {"username": "op", "password": shown["COINREQUEST_OP_PASSWORD"]}
    token = op.post("/auth/token", json=credentials).json()["access_token"]
    stored = {
        "connection_id": connection,
        "conn_type": "http",
        "host": "api-server",
        "port": 8080,
        "schema": "http",
        "password": token,
    }
    answer = stack.client("admin").post("/api/v2/connections", json=stored)
    assert answer.status_code == 201, answer.text
    ask = {"id": "ask", "action": "http.request", "inputs": {"connection": connection, "url": f"{API}/agents"}}
    revisions = {
        connected: register(op, job_type(connected, ask)),
        scheduled: register(op, job_type(scheduled, schedule={"every": "10s"})),
        paused: register(op, job_type(paused)),
    }
    assert op.post(f"{API}/job-types/{paused}/pause").status_code == 200
    job = stack.finished(stack.submit(connected, {}, labels={"kept": "yes"}))
    assert job["state"] == "success", job
    return Source(
        sign_in=shown,
        job=job,
        log=op.get(f"{API}/jobs/{job['id']}/log").text,
        waiting=stack.submit("integer", {"value": 0}, run_after=(datetime.now(UTC) + timedelta(hours=1)).isoformat()),
        revisions=revisions,
        connection=connection,
        connected=connected,
        scheduled=scheduled,
        paused=paused,
    )


def clean(stack: ComposeStack, source: Source) -> None:
    """Remove from a platform what `use` left on it."""
    for name in source.revisions:
        stack.client("op").delete(f"{API}/job-types/{name}")
    stack.client("op").post(f"{API}/jobs/{source.waiting}/cancel")
    stack.client("admin").delete(f"/api/v2/connections/{source.connection}")


def assert_refused(answer: "subprocess.CompletedProcess[str]", reason: str, stack: ComposeStack) -> None:
    assert answer.returncode == 1, answer.stderr
    assert reason in answer.stderr
    assert answer.stderr.splitlines()[-1] == "Nothing was changed."
    assert left_of(stack.project) == []


@pytest.fixture(scope="module")
def restored(_running: ComposeStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restored]:
    folder = tmp_path_factory.mktemp("backups")
    _running.up("--remove-orphans")
    stack = ComposeStack(f"coinrequest-restored-{os.getpid()}")
    source = use(_running)
    try:
        try:
            without = written(_running, "--without-secrets", folder)
            assert not (without / "secrets.json").exists()
            assert_refused(script("restore", stack, "--yes", without), "--secrets FILE", stack)
            backup = written(_running, "--with-logs", "--keep", "1", folder)
        finally:
            clean(_running, source)
        damaged = shutil.copytree(backup, folder / "damaged")
        with (damaged / "database.dump").open("r+b") as file:
            file.seek(-100, os.SEEK_END)
            file.write(b"!")
        assert_refused(script("restore", stack, "--yes", damaged), "damaged", stack)
        began = datetime.now(UTC)
        answer = script("restore", stack, "--yes", backup)
        assert answer.returncode == 0, f"{answer.stderr}\n{stack.logs()}"
        yield Restored(stack, source, folder, backup, began)
    finally:
        stack.down()
    assert left_of(stack.project) == []


def test_a_backup_is_private_and_complete_and_only_the_newest_is_kept(restored: Restored) -> None:
    assert sorted(path.name for path in restored.backup.iterdir()) == sorted((*FILES, "SHA256SUMS"))
    assert {path.stat().st_mode & 0o777 for path in restored.backup.iterdir()} == {0o600}
    assert restored.backup.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in restored.folder.iterdir()} == {restored.backup.name, "damaged"}


def test_a_backup_can_be_checked_at_any_time(restored: Restored) -> None:
    answer = script("backup", restored.stack, "--verify", restored.backup)
    assert answer.returncode == 0, answer.stderr
    assert "is whole" in answer.stderr
    answer = script("backup", restored.stack, "--verify", restored.folder / "damaged")
    assert answer.returncode == 1
    assert "damaged" in answer.stderr


def test_a_job_is_there_with_its_result_and_log(restored: Restored) -> None:
    op, before = restored.stack.client("op"), restored.source.job
    # Its address is the one thing that belongs to the platform.
    assert op.json(f"{API}/jobs/{before['id']}") | {"dag_run_url": None} == before | {"dag_run_url": None}
    assert op.get(f"{API}/jobs/{before['id']}/log").text == restored.source.log
    assert op.json(f"{API}/jobs/{restored.source.waiting}")["state"] == "queued"


def test_job_types_have_their_revisions_and_one_is_still_paused(restored: Restored) -> None:
    op = restored.stack.client("op")
    for name, revision in restored.source.revisions.items():
        job_type = op.json(f"{API}/job-types/{name}")
        assert job_type["revision"] == revision
        assert job_type["paused"] is (name == restored.source.paused)


def test_everybody_signs_in_as_before(restored: Restored) -> None:
    def passwords(shown: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in shown.items() if name.endswith(("USERNAME", "PASSWORD"))}

    assert passwords(restored.stack.sign_in()) == passwords(restored.source.sign_in)
    for role in ("admin", "op", "user", "viewer"):
        assert restored.stack.client(role).get(f"{API}/jobs").status_code == 200


def test_a_new_job_runs_with_the_secret_of_a_connection(restored: Restored) -> None:
    """An agent reads the definition under the read-only role, and sends the token that the other platform signed."""
    job = restored.stack.finished(restored.stack.submit(restored.source.connected, {}))
    assert job["state"] == "success", job
    assert job["result"]["status"] == 200


def test_the_schedule_goes_on(restored: Restored) -> None:
    def ran() -> bool:
        query = {"type": restored.source.scheduled, "state": "success"}
        jobs = restored.stack.client("op").json(f"{API}/jobs", params=query)["jobs"]
        return any(datetime.fromisoformat(job["submitted_at"]) > restored.began for job in jobs)

    assert eventually(ran, timeout=90, interval=1)


def test_the_database_protects_itself_as_before(restored: Restored) -> None:
    def as_role(role: str, password: str, statements: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
        # Each statement is a transaction of its own.
        line = f'. /run/coinrequest/postgres.env; PGPASSWORD=${password} psql -qXAt -h 127.0.0.1 -U {role} airflow "$@"'
        options = [word for statement in statements for word in ("-c", statement)]
        return restored.stack.compose("exec", "-T", "postgres", "sh", "-c", line, "sh", *options, check=False)

    def as_owner(*statements: str) -> "subprocess.CompletedProcess[str]":
        return as_role("airflow", "COINREQUEST_OWNER_PASSWORD", statements)

    def as_reader(*statements: str) -> "subprocess.CompletedProcess[str]":
        return as_role("coinrequest_reader", "COINREQUEST_READER_PASSWORD", statements)

    assert "append-only" in as_owner("UPDATE coinrequest_revision SET author = 'somebody'").stderr
    assert "append-only" in as_owner("DELETE FROM coinrequest_revision").stderr
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert as_owner(owners).stdout.split() == ["airflow"]
    assert int(as_reader("SELECT count(*) FROM coinrequest_revision").stdout) > 0
    assert "permission denied" in as_reader("SELECT password FROM connection").stderr
    assert "read-only transaction" in as_reader("INSERT INTO coinrequest_revision (name) VALUES ('x')").stderr
    # Neither a temporary object nor a lock of Airflow's, also where transactions are not read-only.
    for attack in ("CREATE TEMPORARY TABLE x (y int)", "SELECT pg_advisory_lock(2)"):
        assert "permission denied" in as_reader("SET default_transaction_read_only = off", attack).stderr
    # Revisions get numbers again: agents tell them from those before by the installation's id.
    renewed = f"SELECT made_at > '{restored.began.isoformat()}' FROM coinrequest_installation"  # noqa: S608
    assert as_reader(renewed).stdout.strip() == "t"
    allowed = "SELECT has_function_privilege('coinrequest_clean(interval, integer)', 'EXECUTE')"
    assert as_reader(allowed).stdout.strip() == "t"
    databases = as_owner("SELECT datname FROM pg_database WHERE datname LIKE 'airflow%'").stdout
    assert databases.split() == ["airflow"]


# -- without an engine -------------------------------------------------------------------------------------


def without_engine(name: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [ROOT / "scripts" / name, *words],
        env={**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["backup", "restore"])
def test_the_scripts_explain_themselves(name: str) -> None:
    answer = without_engine(name, "--help")
    assert answer.returncode == 0
    assert answer.stdout.startswith(f"Usage: scripts/{name} ")


@pytest.mark.parametrize(
    "words",
    [
        ("backup",),
        ("backup", "--keep", "0", "folder"),
        ("backup", "--keep"),
        ("backup", "--with-everything", "folder"),
        ("backup", "one", "two"),
        ("backup", "--verify", "one", "two"),
        ("restore",),
        ("restore", "--undo", "one"),
        ("restore", "one", "two"),
    ],
)
def test_wrong_usage_is_reported_before_anything_is_done(words: tuple[str, ...]) -> None:
    answer = without_engine(*words)
    assert answer.returncode == 2, answer.stderr
    assert answer.stderr.startswith("error: ")
    assert f"scripts/{words[0]} --help" in answer.stderr


@pytest.mark.parametrize("name", ["backup", "restore"])
def test_an_engine_that_is_not_running_is_reported(name: str, tmp_path: Path) -> None:
    answer = without_engine(name, str(tmp_path))
    assert answer.returncode == 1
    assert "Docker" in answer.stderr
    assert list(tmp_path.iterdir()) == []
