"""From the end of a job to the arrival of its webhook; beside it Airflow's own `on_success_callback`."""

from datetime import datetime
from uuid import uuid4

from benchmarks.client import Client
from benchmarks.context import Context
from benchmarks.loopback import Arrivals, receiving
from benchmarks.measure import brief, repeat, say, summary

_CALLBACK_DAG = "callback"
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the example of the Standard Webhooks specification


def run(context: Context) -> None:
    """Measure both on our stack, one job after the other: the same settings, so that only the way differs."""
    client = Client.of(context.stacks.ours())
    client.call_until_accepted("GET", f"/api/v2/dags/{_CALLBACK_DAG}", None, timeout=120, interval=0.5)
    with receiving() as arrivals:
        measured = {
            "webhook": summary(repeat(lambda: _webhook(client, arrivals), 2 * context.samples)),
            "callback": summary(repeat(lambda: _dag_callback(client, arrivals), context.samples)),
        }
    context.results.put("notices", **measured)
    for name, found in measured.items():
        say(f"end of a job to the arrival of its {name}: {brief(found)}")


def _webhook(client: Client, arrivals: Arrivals) -> float:
    """Return the seconds from the end of one job's run to the arrival of the signed webhook that it asked for."""
    path = f"/{uuid4()}"
    callback = {"url": arrivals.url + path, "secret": _SECRET}
    job = client.call("POST", "/jobs/v1/job-types/integer/jobs", {"params": {"value": 0}, "callback": callback})
    arrived = arrivals.wait_for(path)
    return arrived - datetime.fromisoformat(client.job_done(job["id"])["ended_at"]).timestamp()


def _dag_callback(client: Client, arrivals: Arrivals) -> float:
    """Return the seconds from the end of one run of a hand-written DAG to the arrival of what its callback posts."""
    path = f"/{uuid4()}"
    body = {"logical_date": None, "conf": {"url": arrivals.url + path}}
    run = client.call("POST", f"/api/v2/dags/{_CALLBACK_DAG}/dagRuns", body)
    arrived = arrivals.wait_for(path)
    return arrived - datetime.fromisoformat(client.run_done(_CALLBACK_DAG, run["dag_run_id"])["end_date"]).timestamp()
