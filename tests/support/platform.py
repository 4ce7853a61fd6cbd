"""The running stack, as a person who tests it uses it."""

import contextlib
import functools
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from coinrequest.install.secrets import ensure_secrets
from coinrequest.stack import Stack
from coinrequest.stack.environment import database_url
from coinrequest.stack.log_lines import last_lines
from coinrequest.stack.ports import kept_ports
from support.client import API, Client
from support.waiting import eventually
from support.web_stub import WebStub

AGENTS = ("agent-1", "agent-2")
SLOTS = 2
DONE = ("success", "failed", "cancelled", "removed")


class Platform:
    """One stack with its users.

    Attributes:
        stack: its processes.
        web: a web server that its jobs may ask.
    """

    def __init__(self, stack: Stack, web: WebStub) -> None:
        self.stack = stack
        self.web = web
        self.url = stack.url
        self._clients: dict[str | None, Client] = {}

    def client(self, role: str | None) -> Client:
        """Return the client of `admin`, `op`, `user` or `viewer`; None: of somebody without a token."""
        if role not in self._clients:
            if role is None:
                self._clients[role] = Client(self.url)
            else:
                credentials = self.stack.credentials(role)
                self._clients[role] = Client(self.url, credentials.username, credentials.password)
        return self._clients[role]

    @property
    def op(self) -> Client:
        return self.client("op")

    @property
    def channel_url(self) -> str:
        """The broker of the message channel, as its gateway uses it."""
        return self.stack.channel_url

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self.engine.dispose()

    # -- job types and jobs --------------------------------------------------------------------------------

    def register(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Register a job type that has to be accepted."""
        answer = self.op.post(f"{API}/job-types", json=document)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def replace(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Replace a job type's definition."""
        answer = self.op.put(f"{API}/job-types/{document['name']}", json=document)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def submit(self, name: str, params: Mapping[str, Any] | None = None, **fields: Any) -> str:
        """Submit a job that has to be accepted; return its id."""
        answer = self.client("user").post(f"{API}/job-types/{name}/jobs", json={"params": params or {}, **fields})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def submit_all(self, name: str, all_params: Iterable[Mapping[str, Any]]) -> list[str]:
        """Submit several jobs at once; return their ids in the same order."""
        self.client("user")
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda params: self.submit(name, params), all_params))

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job as it is now."""
        return dict(self.client("viewer").json(f"{API}/jobs/{job_id}"))

    def jobs(self, **query: Any) -> list[dict[str, Any]]:
        """Return the first page of jobs, newest first; `query` is what the list takes (`type`, `state`, ...)."""
        found: list[dict[str, Any]] = self.client("viewer").json(f"{API}/jobs", params=query)["jobs"]
        return found

    def cancel(self, job_id: str, reason: str | None = None) -> dict[str, Any]:
        """Cancel a job that can be."""
        answer = self.client("user").post(f"{API}/jobs/{job_id}/cancel", json={"reason": reason} if reason else {})
        assert answer.ok, answer.text
        return dict(answer.json())

    def retry(self, job_id: str) -> dict[str, Any]:
        """Let a failed job begin again at the tasks that failed."""
        answer = self.client("user").post(f"{API}/jobs/{job_id}/retry")
        assert answer.ok, answer.text
        return dict(answer.json())

    def notices(self, job_id: str) -> list[dict[str, Any]]:
        """Return the notices that are owed because of a job, each with its attempts."""
        found: list[dict[str, Any]] = self.client("viewer").json(f"{API}/jobs/{job_id}/notices")["notices"]
        return found

    def finished(self, job_id: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until a job is done."""
        deadline = time.monotonic() + timeout
        while True:
            left = max(0.0, min(20.0, deadline - time.monotonic()))
            job: dict[str, Any] = self.client("viewer").json(f"{API}/jobs/{job_id}?wait={left:.1f}")
            if job["state"] in DONE:
                return job
            assert time.monotonic() < deadline, f"after {timeout:g} s still {job['state']}: {job}"

    def succeeded(self, job_id: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until a job has succeeded."""
        job = self.finished(job_id, timeout)
        assert job["state"] == "success", f"{job}\n{self.task_logs(job['job_type'], job_id)}"
        return job

    def run(self, name: str, params: Mapping[str, Any] | None = None, timeout: float = 60.0) -> dict[str, Any]:
        """Submit a job and wait until it has succeeded."""
        return self.succeeded(self.submit(name, params), timeout)

    def await_state(self, job_id: str, *states: str, timeout: float = 30.0) -> dict[str, Any]:
        """Wait until a job is in one of `states`."""

        def reached() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["state"] in states else None

        return eventually(reached, timeout=timeout, what=f"job {job_id} {' or '.join(states)}") or {}

    # -- Airflow -------------------------------------------------------------------------------------------

    def airflow(self, path: str) -> Any:
        """GET something from Airflow's own REST API."""
        return self.client("admin").json(f"/api/v2{path}")

    def dag(self, name: str) -> dict[str, Any] | None:
        """Return Airflow's DAG, or None where it has none in use."""
        answer = self.client("admin").get(f"/api/v2/dags/{name}")
        assert answer.status_code in (200, 404), answer.text
        return None if answer.status_code == 404 or answer.json()["is_stale"] else answer.json()

    def trigger(self, name: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run as Airflow's own button does; return its id."""
        answer = self.client("admin").post(
            f"/api/v2/dags/{name}/dagRuns", json={"logical_date": None, "conf": conf or {}}
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["dag_run_id"])

    def run_succeeded(self, name: str, run_id: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until a run has succeeded."""

        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.airflow(f"/dags/{name}/dagRuns/{run_id}")
            return run if run["state"] in ("success", "failed") else None

        run = eventually(ended, timeout=timeout, what=f"the end of {name} {run_id}") or {}
        assert run["state"] == "success", f"{run}\n{self.task_logs(name, run_id)}"
        return run

    def task_instances(self, name: str, run_id: str) -> list[dict[str, Any]]:
        """Return the tasks of a run."""
        found: list[dict[str, Any]] = self.airflow(f"/dags/{name}/dagRuns/{run_id}/taskInstances?limit=1000")[
            "task_instances"
        ]
        return found

    def output(self, name: str, run_id: str, task: str) -> Any:
        """Return what a task returned."""
        entry = self.airflow(f"/dags/{name}/dagRuns/{run_id}/taskInstances/{task}/xcomEntries/return_value")
        return entry["value"]

    def import_errors(self) -> list[dict[str, Any]]:
        """Return the import errors that Airflow shows."""
        found: list[dict[str, Any]] = self.airflow("/importErrors?limit=1000")["import_errors"]
        return found

    def task_logs(self, name: str, run_id: str, width: int = 500) -> str:
        """Return the ends of the logs of a run's tasks, their lines cut to `width`."""
        folder = self.stack.layout.logs / "tasks" / f"dag_id={name}" / f"run_id={run_id}"
        return "\n".join(
            f"--- {path.relative_to(folder)}\n"
            + "\n".join(line[:width] for line in path.read_text().splitlines()[-15:])
            for path in sorted(folder.rglob("*.log"))
        )

    # -- the database --------------------------------------------------------------------------------------

    @functools.cached_property
    def engine(self) -> Any:
        """The metadata database, as its owner."""
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        secrets = ensure_secrets(self.stack.layout.secrets)
        ports = kept_ports(self.stack.layout)
        return create_engine(database_url(ports, "airflow", secrets.postgres_owner), poolclass=NullPool)

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """Execute a statement in a transaction of its own; return its rows, if it has any."""
        from sqlalchemy import text

        with self.engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    # -- processes -----------------------------------------------------------------------------------------

    def process_ids(self) -> dict[str, int | None]:
        """Return the process id of everything that runs."""
        return {name: process.pid for name, process in self.stack.status().processes.items()}

    def health(self) -> dict[str, Any]:
        """Return what the service says about itself, whatever the status of its answer."""
        answer = self.client("admin").get(f"{API}/health", timeout=20)
        return dict(answer.json())

    def await_healthy(self, timeout: float = 120.0) -> None:
        """Wait until all processes run, the service finds nothing wrong, and Airflow's heartbeats are new."""

        def healthy() -> bool:
            status = self.stack.status()
            if not status.healthy:
                states = {name: str(process.state) for name, process in status.processes.items()}
                raise AssertionError(f"not all processes run: {states}")
            report = self.health()
            assert report["status"] == "healthy", report
            return True

        eventually(healthy, timeout=timeout, interval=0.25)

    @contextlib.contextmanager
    def without(self, *processes: str) -> Iterator[None]:
        """Stop processes; start them again when the block ends, and wait until the stack is healthy."""
        try:
            with ThreadPoolExecutor(len(processes)) as pool:
                list(pool.map(self.stack.stop_process, processes))
            yield
        finally:
            with ThreadPoolExecutor(len(processes)) as pool:
                list(pool.map(self.stack.start_process, processes))
            self.await_healthy()

    def python(self, program: str, process: str = "dag-processor", variables: Mapping[str, str] | None = None) -> str:
        """Run a Python program in the environment of one of the processes; return its output."""
        return self.command([sys.executable, "-c", program], process, variables)

    def command(self, words: list[str], process: str = "scheduler", variables: Mapping[str, str] | None = None) -> str:
        """Run a command in the environment of one of the processes; return its output."""
        done = subprocess.run(
            words,
            env={**self.stack.environment(process), **(variables or {})},
            cwd=self.stack.layout.root,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def tails(self, count: int = 12) -> str:
        """Return the last log lines of every process."""
        logs = sorted(self.stack.layout.logs.glob("*.log"))
        return "\n".join(f"--- {path.name}\n" + "\n".join(last_lines(path, count)) for path in logs)
