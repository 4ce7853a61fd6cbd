"""What one web instance serves: the web server in a container with 1 CPU and 1 GiB, as a t2.micro has.

Each client sends its next request when the last one is answered. The database and the clients have the machine's other
core, which a measurement of one instance must leave them.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import yaml

from benchmarks.client import Client
from benchmarks.compose_project import ComposeProject, require_engine
from benchmarks.context import Context
from benchmarks.measure import GaveUp, say, summary

CLIENTS = (1, 2, 4, 8, 16, 32)
LONGEST_P95 = 0.5
_WARM_UP_SECONDS = 3.0
_JOBS = 200
_COMPARED_CLIENTS = 4
_LIST = ("GET", "/jobs/v1/jobs?limit=20", None)
_AIRFLOWS_LIST = ("GET", "/api/v2/dags/integer/dagRuns?limit=20&order_by=-run_after", None)

Call = tuple[str, str, object]


@dataclass(frozen=True)
class Load:
    """What a number of clients got.

    Attributes:
        rate: answers a second.
        p95, median: seconds from request to answer.
        cpu: seconds of CPU of the web server for each request.
    """

    clients: int
    rate: float
    median: float
    p95: float
    cpu: float


def run(context: Context) -> None:
    """Raise the number of clients until the answers are slow; compare two lists."""
    require_engine()
    with tempfile.TemporaryDirectory() as folder:
        override = Path(folder) / "t2-micro.yaml"
        project = ComposeProject("coinrequest-web-instance", "coinrequest:development", "18081", (str(override),))
        try:
            _write(override)
            project.compose("build", "-q")
            project.up("postgres", "redis", "migrate", "api-server")
            _measure_web(context, project)
        finally:
            project.remove()


def _measure_web(context: Context, project: ComposeProject) -> None:
    results, seconds = context.results, max(context.idle_seconds / 3, 3.0)
    clients = project.clients(max(CLIENTS))
    submit: Call = ("POST", "/jobs/v1/job-types/integer/jobs", {"params": {"value": 1}})
    jobs = [clients[0].call(*submit)["id"] for _ in range(_JOBS)]
    one: Call = ("GET", f"/jobs/v1/jobs/{jobs[0]}", None)
    # Of ten requests: people and programs that look at lists and jobs, one submission, one page of Airflow's.
    mix = (_LIST, one, _LIST, one, _LIST, one, _LIST, _LIST, submit, _AIRFLOWS_LIST)
    loads = [_load(project, clients[:count], mix, seconds) for count in CLIENTS]
    for load in loads:
        say(f"{load.clients} clients: {load.rate:.0f} requests/s, p95 {load.p95:.3f} s")
    best = max((load for load in loads if load.p95 <= LONGEST_P95), key=lambda load: load.rate, default=None)
    results.put(
        "web-instance",
        loads=[vars(load) for load in loads],
        capacity=vars(best) if best else None,
        memory=project.memory()["api-server"],
        load_seconds=seconds,
    )
    compared: dict[str, list[float]] = {"ours": [], "airflow": []}
    # One after the other, several times, so that both see the same machine.
    for _ in range(5):
        for name, call in (("ours", _LIST), ("airflow", _AIRFLOWS_LIST)):
            compared[name].append(_load(project, clients[:_COMPARED_CLIENTS], (call,), seconds / 4).rate)
    results.put("web-instance", lists={name: summary(rates) for name, rates in compared.items()})


def _write(override: Path) -> None:
    limits = {"cpus": 1, "mem_limit": "1g", "memswap_limit": "1g"}
    override.write_text(yaml.safe_dump({"services": {"api-server": limits}}))


def _load(project: ComposeProject, clients: Sequence[Client], calls: Sequence[Call], seconds: float) -> Load:
    """Send requests from so many clients for so long."""
    workers = [_Worker(client, calls, offset) for offset, client in enumerate(clients)]
    stop = threading.Event()
    threads = [threading.Thread(target=worker.run, args=(stop,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    time.sleep(_WARM_UP_SECONDS)
    cpu, began = project.cpu()["api-server"], time.monotonic()
    time.sleep(seconds)
    cpu, ended = project.cpu()["api-server"] - cpu, time.monotonic()
    stop.set()
    for thread in threads:
        thread.join(timeout=60)
    failures = [worker.failure for worker in workers if worker.failure]
    if failures:
        raise GaveUp(f"{len(failures)} of {len(clients)} clients: {failures[0]}")
    times = [took for worker in workers for at, took in worker.answers if began <= at <= ended]
    described = summary(times)
    return Load(
        len(clients),
        round(len(times) / (ended - began), 1),
        described["median"],
        described["p95"],
        round(cpu / max(len(times), 1), 5),
    )


class _Worker:
    """One client; `answers` has the moment and the seconds of each answer."""

    def __init__(self, client: Client, calls: Sequence[Call], offset: int) -> None:
        self._client = client
        self._next: Callable[[], Call] = cycle((*calls[offset % len(calls) :], *calls[: offset % len(calls)])).__next__
        self.answers: list[tuple[float, float]] = []
        self.failure: str | None = None

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                self._client.call(*self._next())
            except Exception as error:
                self.failure = f"{type(error).__name__}: {error}"
                return
            ended = time.monotonic()
            self.answers.append((ended, ended - began))
