"""What one web instance serves: the web server in a container with 1 CPU and 1 GiB, as a t2.micro has.

Each client sends its next request when the last one is answered. The database and the clients have the machine's other
core, which a measurement of one instance must leave them.
"""

import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import yaml

from benchmarks.client import Client
from benchmarks.compose_project import ComposeProject, require_engine
from benchmarks.context import Context
from benchmarks.measure import in_turn, say, summary

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
    few = clients[:_COMPARED_CLIENTS]
    lists = {"ours": _LIST, "airflow": _AIRFLOWS_LIST}
    rates = in_turn({name: partial(_load, project, few, (call,), seconds / 4) for name, call in lists.items()}, 5)
    results.put("web-instance", lists={name: summary([load.rate for load in loads]) for name, loads in rates.items()})


def _write(override: Path) -> None:
    limits = {"cpus": 1, "mem_limit": "1g", "memswap_limit": "1g"}
    override.write_text(yaml.safe_dump({"services": {"api-server": limits}}))


def _load(project: ComposeProject, clients: Sequence[Client], calls: Sequence[Call], seconds: float) -> Load:
    """Send requests from so many clients for so long."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(clients)) as pool:
        working = [pool.submit(_requests, client, calls, first, stop) for first, client in enumerate(clients)]
        try:
            time.sleep(_WARM_UP_SECONDS)
            cpu, began = project.cpu()["api-server"], time.monotonic()
            time.sleep(seconds)
            cpu, ended = project.cpu()["api-server"] - cpu, time.monotonic()
        finally:
            stop.set()
    times = [took for done in working for at, took in done.result() if began <= at <= ended]
    described = summary(times)
    rate = round(len(times) / (ended - began), 1)
    return Load(len(clients), rate, described["median"], described["p95"], round(cpu / len(times), 5))


def _requests(client: Client, calls: Sequence[Call], first: int, stop: threading.Event) -> list[tuple[float, float]]:
    """Send the calls again and again, one after the other; return the moment and the seconds of each answer."""
    answers = []
    for call in islice(cycle(calls), first % len(calls), None):
        if stop.is_set():
            break
        began = time.monotonic()
        client.call(*call)
        ended = time.monotonic()
        answers.append((ended, ended - began))
    return answers
