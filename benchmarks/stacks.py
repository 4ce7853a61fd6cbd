"""The stacks that are measured: ours, one with Airflow's default settings, and that one with dag-factory.

Only one of them runs at a time.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from benchmarks.measure import GaveUp, say
from benchmarks.processes import cpu_seconds
from coinrequest.stack import Options, Stack
from coinrequest.stack.layout import project_root
from coinrequest.stack.processes import session_members

# The DAGs of the comparisons, as files.
DAGS = Path(__file__).parent / "dags"

# The DAG processor notes the time in the database at every turn of its loop (benchmarks/probe.py), not every 5 s.
PROBED = {"scheduler.job_heartbeat_sec": "0"}

# What config/airflow.cfg changes and these tests can feel, put back to the defaults of Airflow 3.3.2 and of the Celery
# provider 3.26.0. Sign-in, executor, agents and concurrency stay as in our own stack.
STOCK = {
    "core.dags_are_paused_at_creation": "True",
    "core.dag_discovery_safe_mode": "True",
    "core.parallelism": "32",
    "core.max_active_tasks_per_dag": "16",
    "core.max_active_runs_per_dag": "16",
    "core.min_serialized_dag_update_interval": "30",
    "workers.min_heartbeat_interval": "5",
    "scheduler.scheduler_idle_sleep_time": "1",
    "scheduler.max_dagruns_to_create_per_loop": "10",
    "scheduler.max_dagruns_per_loop_to_schedule": "20",
    "scheduler.max_tis_per_query": "16",
    "scheduler.task_instance_heartbeat_timeout": "300",
    "triggerer.capacity": "1000",
    "dag_processor.refresh_interval": "300",
    "dag_processor.bundle_refresh_check_interval": "5",
    "dag_processor.min_file_process_interval": "30",
    "dag_processor.stale_dag_threshold": "50",
    "dag_processor.print_stats_interval": "30",
    "celery.extra_celery_config": "{}",
}

KINDS = ("ours", "executor", "stock", "factory")

_LOCAL_BUNDLE = [
    {"name": "dags-folder", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {}}
]


def stock_overrides(dags: Path, plugins: Path) -> dict[str, str]:
    """Return the options of a stack with default settings, an ordinary dags folder and no plugins of ours."""
    return STOCK | {
        "core.dags_folder": str(dags),
        "core.plugins_folder": str(plugins),
        "dag_processor.dag_bundle_config_list": json.dumps(_LOCAL_BUNDLE),
    }


class Stacks:
    """Starts and stops the stacks below one folder.

    Args:
        root: the folder; everything that the benchmarks write, except their results, lies below it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in (root, *(root / name for name in KINDS)):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)  # PostgreSQL, which does not run as root, has to pass through
        self._running: str | None = None
        self.registered = 0

    def stack(self, kind: str) -> Stack:
        """Return a stack of one of the kinds, running or not."""
        return Stack(self.root / kind)

    def ours(self) -> Stack:
        """Return our stack, started if it was not; its dags folder has one DAG more, for `bench_notices`."""
        dags = self.folder("ours-dags")
        shutil.copytree(project_root() / "dags", dags, dirs_exist_ok=True)
        shutil.copy2(DAGS / "callback.py", dags)
        return self._use("ours", PROBED | {"core.dags_folder": str(dags)})

    def airflow_executor(self) -> Stack:
        """Return our stack with Airflow's own executor for Celery, started if it was not."""
        return self._use("executor", {"core.executor": "CeleryExecutor"})

    def stock(self, dags: Path) -> Stack:
        """Return the stack with default settings over a dags folder, started if it was not."""
        return self._use("stock", stock_overrides(dags, self.folder("no-plugins")))

    def factory(self, dags: Path, python: Path) -> Stack:
        """Return the stack with default settings and dag-factory, run by an interpreter that has it installed."""
        overrides = stock_overrides(dags, self.folder("no-plugins")) | {"dag_factory.enable_telemetry": "False"}
        return self._use("factory", overrides, python)

    def fresh(self, kind: str) -> None:
        """Stop a stack and remove its data."""
        self.stop()
        shutil.rmtree(self.root / kind, ignore_errors=True)
        (self.root / kind).mkdir(mode=0o711)
        (self.root / kind).chmod(0o711)
        if kind == "ours":
            self.registered = 0

    def folder(self, name: str) -> Path:
        """Return a folder for files of a benchmark."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def stop(self) -> None:
        """Stop every stack of the benchmarks, also one that an earlier run left."""
        for kind in KINDS:
            if self.stack(kind).down(say):
                say(f"stopped the stack {kind}")
        self._running = None

    def _use(self, kind: str, overrides: Mapping[str, str], python: Path | None = None) -> Stack:
        if self._running == kind:
            return self.stack(kind)
        self.fresh(kind)
        seconds = start(self.stack(kind), overrides, python)
        self._running = kind
        say(f"the stack {kind} is up after {seconds:.1f} s")
        wait_until_quiet(self.stack(kind))
        return self.stack(kind)


def start(stack: Stack, overrides: Mapping[str, str] | None = None, python: Path | None = None) -> float:
    """Start a stack by the command that `make up` runs; return the seconds that it took.

    Raises:
        GaveUp: it did not start.
    """
    options = Options(overrides=dict(overrides or {}))
    command = [str(python or sys.executable), "-m", "coinrequest.stack", "--root", str(stack.layout.root), "up"]
    command += ["--agents", str(options.agents), "--concurrency", str(options.concurrency)]
    for name, value in options.overrides.items():
        command += ["--set", f"{name}={value}"]
    environment = {**os.environ, "COINREQUEST_PORT": ""}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=project_root(), env=environment, capture_output=True, text=True, timeout=330, check=False
    )
    if done.returncode:
        raise GaveUp(f"the stack in {stack.layout.root} did not start:\n{(done.stdout + done.stderr)[-2000:]}")
    return time.monotonic() - began


def services(stack: Stack) -> dict[str, list[psutil.Process]]:
    """Return the processes of each service and of the supervisor, their children included."""
    status = stack.status()
    leaders = {name: process.pid for name, process in status.processes.items()}
    found = {name: _family(leader) if leader else [] for name, leader in leaders.items()}
    if status.supervisor:
        found["supervisor"] = [psutil.Process(status.supervisor.pid)]
    return found


def _family(leader: int) -> list[psutil.Process]:
    """Return a process with its session and its descendants (each PostgreSQL backend opens a session of its own)."""
    family = {leader, *session_members(leader)}
    with suppress(psutil.Error):
        family |= {child.pid for child in psutil.Process(leader).children(recursive=True)}
    found = []
    for pid in family:
        with suppress(psutil.Error):
            found.append(psutil.Process(pid))
    return found


def wait_until_quiet(stack: Stack, timeout: float = 240.0, share: float = 0.25, period: float = 3.0) -> float:
    """Wait until nothing is parsed and no job runs; return how long that took, in seconds.

    Quiet means that for `period` seconds the DAG processor had no child that parses, and the agents used less than
    `share` of one core; the other processes have work to do at idle too.
    """
    began = time.monotonic()
    quiet_since = began
    used = _agents_seconds(stack)
    while time.monotonic() - began < timeout:
        time.sleep(0.25)
        now = time.monotonic()
        if _parses(stack):
            quiet_since, used = now, _agents_seconds(stack)
        elif now - quiet_since >= period:
            if _agents_seconds(stack) - used < share * (now - quiet_since):
                return quiet_since - began
            quiet_since, used = now, _agents_seconds(stack)
    say(f"the stack is still busy after {timeout:.0f} s")
    return timeout


def _parses(stack: Stack) -> bool:
    leader = stack.status().processes["dag-processor"].pid
    try:
        return leader is None or bool(psutil.Process(leader).children())
    except psutil.Error:
        return True


def _agents_seconds(stack: Stack) -> float:
    return sum(
        cpu_seconds(process)
        for name, members in services(stack).items()
        if name.startswith("agent")
        for process in members
    )


@contextmanager
def database(stack: Stack) -> Iterator[Any]:
    """Give a cursor on the stack's metadata database; each statement is a transaction."""
    connection = psycopg2.connect(stack.environment("api-server")["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
