"""Register to runnable, and register to first job done, while more and more types are registered."""

import time
from functools import partial
from typing import Any
from uuid import uuid4

from benchmarks.client import Client
from benchmarks.context import Context
from benchmarks.filling import fill
from benchmarks.job_types import definition
from benchmarks.measure import brief, in_turn, say, summary
from benchmarks.probe import watched_loop
from coinrequest.stack import Stack

_WAYS = ("jobs", "airflow")


def run(context: Context) -> None:
    """Fill the registry to each number of types and measure there."""
    if context.stacks.registered:
        context.stacks.fresh("ours")
    sizes: dict[str, Any] = {}
    for count in context.types:
        filled = fill(context.stacks, count)
        stack = context.stacks.ours()
        with watched_loop(stack) as probe:
            measured = _measure(stack, context.samples)
        sizes[str(count)] = {**measured, "fill": filled, "loop": probe.report()}
        context.results.put("register", sizes=sizes)
        for way in _WAYS:
            say(f"{count} types, {way}: runnable {brief(measured[way]['runnable'])}")
            say(f"{count} types, {way}: first job done {brief(measured[way]['done'])}")


def _measure(stack: Stack, samples: int) -> dict[str, Any]:
    """Register `samples` types for each way to trigger; each is triggered at once and its first job awaited."""
    client = Client.of(stack)
    found = in_turn({way: partial(one_type, client, way) for way in _WAYS}, samples)
    return {
        way: {
            **{what: summary([times[what] for times in measured]) for what in ("registered", "runnable", "done")},
            "refused": int(sum(times["refused"] for times in measured)),
        }
        for way, measured in found.items()
    }


def one_type(client: Client, way: str) -> dict[str, float]:
    """Register a type, trigger it until that is accepted, wait for its job; return the seconds from the first POST."""
    name = f"sample-{uuid4().hex}"
    began = time.monotonic()
    client.call("POST", "/jobs/v1/job-types", definition(name))
    registered = time.monotonic()
    if way == "jobs":
        job, refused = client.call_until_accepted("POST", f"/jobs/v1/job-types/{name}/jobs", {"params": {}}, timeout=60)
    else:
        job, refused = client.call_until_accepted(
            "POST", f"/api/v2/dags/{name}/dagRuns", {"logical_date": None}, timeout=60
        )
    runnable = time.monotonic()
    if way == "jobs":
        client.job_done(job["id"])
    else:
        client.run_done(name, job["dag_run_id"], interval=0.05)
    return {
        "registered": registered - began,
        "runnable": runnable - began,
        "done": time.monotonic() - began,
        "refused": float(refused),
    }
