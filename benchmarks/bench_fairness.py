"""How long a small job takes while another type has ten thousand tasks, and how soon a cancelled job frees its slots.

Beside it the same on the same stack with Airflow's own Celery executor.
"""

import time
from typing import Any

from benchmarks.client import Client
from benchmarks.context import Context
from benchmarks.measure import GaveUp, brief, say, summary, wait_for

_SMALL = "integer"
_JOBS = 2
_TASKS = 5
_ITEMS = 1000
# Seconds, for one small job and for all of them beside one greedy type.
_PATIENCE = 45.0
_LONGEST = 90.0


def run(context: Context) -> None:
    """Measure on our stack, then with Airflow's executor."""
    for name, start in (("ours", context.stacks.ours), ("airflow", context.stacks.airflow_executor)):
        client = Client.of(start())
        _small_jobs(client, 3)
        found: dict[str, Any] = {"usual": summary(_small_jobs(client, context.samples)), "beside": {}}
        say(f"a small job alone: {brief(found['usual'])}")
        for label, greedy in _greedy_types().items():
            found["beside"][label] = _beside(client, context.samples, greedy)
            context.results.put("fairness", **{name: found})


def _beside(client: Client, samples: int, greedy: dict[str, Any]) -> dict[str, Any]:
    """Start the greedy type's jobs, measure small ones beside them, cancel, and measure the first one after that."""
    name = greedy["name"]
    client.call("POST", "/jobs/v1/job-types", greedy)
    jobs = [client.call("POST", f"/jobs/v1/job-types/{name}/jobs", {})["id"] for _ in range(_JOBS)]
    wait_for(f"{name} waits", lambda: _begun(client, name), timeout=120, interval=0.5)
    found: dict[str, Any] = {"tasks": _JOBS * _TASKS * _ITEMS}
    try:
        found["small"] = summary(_small_jobs(client, samples))
        say(f"a small job beside {name}: {brief(found['small'])}")
    except GaveUp as error:
        found["gave_up"] = str(error)
        say(f"a small job beside {name}: {error}")
    began = time.monotonic()
    for job in jobs:
        client.call("POST", f"/jobs/v1/jobs/{job}/cancel")
    found["cancelled"] = round(time.monotonic() - began, 2)
    try:
        _small_jobs(client, 1, patience=300.0)
        found["free"] = round(time.monotonic() - began, 2)
    except GaveUp as error:
        found["free_gave_up"] = str(error)
    say(f"cancelled within {found['cancelled']} s, the next small job done after {found.get('free')} s")
    return found


def _begun(client: Client, name: str) -> bool:
    """Say whether more tasks than any pool of agents here has slots are queued or run."""
    path = f"/api/v2/dags/{name}/dagRuns/~/taskInstances?limit=1&state=queued&state=running&state=success"
    return int(client.call("GET", path)["total_entries"]) >= 20


def _small_jobs(client: Client, count: int, patience: float = _PATIENCE) -> list[float]:
    """Run small jobs one after the other, fewer when they take long; return the seconds from each POST to the end.

    Raises:
        GaveUp: one was not done in time.
    """
    taken: list[float] = []
    while len(taken) < count and sum(taken) < _LONGEST:
        began = time.monotonic()
        job = client.call("POST", f"/jobs/v1/job-types/{_SMALL}/jobs", {"params": {"value": 0}})
        client.job_done(job["id"], timeout=patience)
        taken.append(time.monotonic() - began)
    return taken


def _greedy_types() -> dict[str, dict[str, Any]]:
    """Return job types with very many tasks, by what the page calls them."""

    def greedy(name: str, seconds: int, **fields: Any) -> dict[str, Any]:
        task = {"action": "integer.wait", "inputs": {"value": seconds}, "for_each": [0] * _ITEMS, **fields}
        tasks = [{"id": f"each{number}", **task} for number in range(_TASKS)]
        return {"name": name, "description": "Has very many tasks", "owner": "benchmark", "tasks": tasks}

    return {
        "tasks that end at once": greedy("greedy-0", 0),
        "tasks of 20 s": greedy("greedy-20", 20),
        "tasks for a queue that no agent serves": greedy("unserved", 0, queue="nobody"),
    }
