"""Submit to done, and jobs per second, of the trivial job: on our stack, and with default settings."""

import shutil
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from benchmarks.client import Client, at_once
from benchmarks.context import Context
from benchmarks.measure import brief, say, summary, wait_for
from benchmarks.stacks import DAGS
from coinrequest.stack import Stack

CLIENTS = 4
_OURS = "integer"
_PLAIN = "plain"


def run_ours(context: Context) -> None:
    """Measure the built-in job type `integer` with the value 0 over this project's REST."""
    stack = context.stacks.ours()
    client = Client.of(stack)
    for _ in range(3):
        client.job_done(_submit_job(client))
    _sequential(context, "jobs", one_job, client)
    _throughput(context, "jobs", stack, _OURS, _submit_job)


def run_stock(context: Context) -> None:
    """Measure a hand-written DAG with one task over Airflow's own REST, with Airflow's default settings."""
    dags = context.stacks.folder("stock-dags")
    shutil.copy2(DAGS / "plain.py", dags)
    stack = context.stacks.stock(dags)
    client = Client.of(stack)
    client.call_until_accepted("GET", f"/api/v2/dags/{_PLAIN}", None, timeout=120, interval=0.5)
    for _ in range(3):
        client.run_done(_PLAIN, _trigger(client))
    _sequential(context, "stock", _one_run, client)
    _throughput(context, "stock", stack, _PLAIN, _trigger)


def _sequential(context: Context, name: str, one: Callable[[Client], dict[str, float]], client: Client) -> None:
    """Run one job after the other, each from its POST to its end."""
    measured = [one(client) for _ in range(context.samples + context.samples // 3)]
    described = {what: summary([sample[what] for sample in measured]) for what in measured[0]}
    say(f"submit to done: {brief(described['seen'])}; by the run's own times {brief(described['done'])}")
    context.results.put(name, latency=described)


def _throughput(context: Context, name: str, stack: Stack, dag_id: str, submit: Callable[[Client], str]) -> None:
    """Submit many jobs from a few clients; measure from the first POST to the end of the last run."""
    clients = [Client.of(stack) for _ in range(CLIENTS)]
    before, _ = clients[0].runs(dag_id, "success")
    began = time.time()
    at_once(clients, context.jobs, submit)
    submitted = time.time()

    def ended() -> datetime | None:
        count, last = clients[0].runs(dag_id, "success")
        return last if count >= before + context.jobs else None

    last = wait_for(f"{context.jobs} runs of {dag_id}", ended, timeout=60 + context.jobs * 1.5, interval=0.5)
    seconds = last.timestamp() - began
    rate = context.jobs / seconds
    say(f"{context.jobs} jobs in {seconds:.1f} s, {rate:.2f} per second; submitted within {submitted - began:.1f} s")
    context.results.put(
        name,
        throughput={
            "jobs": context.jobs,
            "clients": CLIENTS,
            "seconds": round(seconds, 2),
            "submitted": round(submitted - began, 2),
            "per_second": round(rate, 3),
        },
    )


def _submit_job(client: Client) -> str:
    return str(client.call("POST", f"/jobs/v1/job-types/{_OURS}/jobs", {"params": {"value": 0}})["id"])


def _trigger(client: Client) -> str:
    return str(client.call("POST", f"/api/v2/dags/{_PLAIN}/dagRuns", {"logical_date": None})["dag_run_id"])


def one_job(client: Client) -> dict[str, float]:
    sent = time.time()
    job_id = _submit_job(client)
    accepted = time.time()
    job = client.job_done(job_id)
    seen = time.time()
    return _times(sent, accepted, seen, job["started_at"], job["ended_at"])


def _one_run(client: Client) -> dict[str, float]:
    sent = time.time()
    run_id = _trigger(client)
    accepted = time.time()
    run = client.run_done(_PLAIN, run_id, interval=0.05)
    seen = time.time()
    return _times(sent, accepted, seen, run["start_date"], run["end_date"])


def _times(sent: float, accepted: float, seen: float, started: str, ended: str) -> dict[str, Any]:
    """Return what happened how many seconds after the request was sent; `seen` is the client's view of the end."""
    return {
        "accepted": accepted - sent,
        "started": datetime.fromisoformat(started).timestamp() - sent,
        "done": datetime.fromisoformat(ended).timestamp() - sent,
        "seen": seen - sent,
    }
