"""Messages per second into stored jobs, with each broker; beside it jobs per second over Airflow's own REST."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from benchmarks import brokers
from benchmarks.brokers import Program
from benchmarks.client import Client, at_once
from benchmarks.context import Context
from benchmarks.measure import say, summary, wait_for
from benchmarks.stacks import database
from coinrequest.stack import Stack

CLIENTS = 8
_JOB_TYPE = "integer"
_STORED = "SELECT count(*) FROM coinrequest_job WHERE job_type = %s AND submitted_at >= %s"

# The jobs wait for tomorrow; they leave as if they had never been, so that the next part finds the stack as it was.
_FORGET = """
ALTER TABLE dag_run DISABLE TRIGGER USER;
DELETE FROM dag_run WHERE dag_id = %(type)s AND state = 'queued' AND run_after > now() + interval '1 hour';
ALTER TABLE dag_run ENABLE TRIGGER USER;
DELETE FROM coinrequest_job WHERE job_type = %(type)s AND state = 'queued' AND run_after > now() + interval '1 hour';
"""


def run(context: Context) -> None:
    """Flood each broker in rounds with jobs for tomorrow, so that the scheduler has nothing to do with them."""
    messages, rounds = 10 * context.jobs, min(5, max(2, context.samples // 6))
    stack = context.stacks.ours()
    measured: dict[str, Any] = {}
    with database(stack) as cursor:
        for broker in brokers.installed():
            with brokers.channel(context, broker) as url, Program(url) as program:
                _flood(cursor, program, min(200, messages))
                found = [_flood(cursor, program, messages) for _ in range(rounds)]
            measured[broker] = {
                "messages": messages,
                "per_second": summary([messages / stored for _, stored in found]),
                "published": summary([published for published, _ in found]),
            }
            say(f"{messages} messages to {broker}: {measured[broker]['per_second']['median']:.0f} jobs per second")
            context.results.put("gateway", brokers=measured)
            _forget(cursor)
        rest = _over_rest(stack, 2 * context.jobs)
        say(f"over Airflow's REST: {rest['per_second']:.0f} jobs per second")
        context.results.put("gateway", rest=rest)
        _forget(cursor)


def _flood(cursor: Any, program: Program, messages: int) -> tuple[float, float]:
    """Publish at full speed; return the seconds until all was published, and until the last job was stored."""
    began_at = datetime.now(UTC)
    began = time.monotonic()
    for _ in range(messages):
        program.publish(
            {"job_id": str(uuid4()), "job_type": _JOB_TYPE, "params": {"value": 0}, "run_after": _tomorrow()}
        )
    published = time.monotonic() - began

    def stored() -> bool:
        cursor.execute(_STORED, (_JOB_TYPE, began_at))
        return int(cursor.fetchone()[0]) >= messages

    wait_for(f"{messages} stored jobs", stored, timeout=120, interval=0.02)
    return published, time.monotonic() - began


def _over_rest(stack: Stack, jobs: int) -> dict[str, Any]:
    """Start runs for tomorrow over Airflow's own REST, from a few clients at once."""
    clients = [Client.of(stack) for _ in range(CLIENTS)]
    for client in clients:
        _trigger(client)
    began = time.monotonic()
    at_once(clients, jobs, _trigger)
    seconds = time.monotonic() - began
    return {"jobs": jobs, "clients": CLIENTS, "seconds": round(seconds, 2), "per_second": round(jobs / seconds, 2)}


def _trigger(client: Client) -> None:
    body = {"logical_date": None, "run_after": _tomorrow(), "conf": {"value": 0}}
    client.call("POST", f"/api/v2/dags/{_JOB_TYPE}/dagRuns", body)


def _tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


def _forget(cursor: Any) -> None:
    cursor.execute(_FORGET, {"type": _JOB_TYPE})
