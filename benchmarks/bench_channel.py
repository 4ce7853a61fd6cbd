"""From a published job to the result that comes back over the channel, with each broker."""

import time
from uuid import uuid4

from benchmarks import brokers
from benchmarks.brokers import Program
from benchmarks.context import Context
from benchmarks.measure import GaveUp, brief, repeat, say, summary


def run(context: Context) -> None:
    """Publish the trivial job, wait for its result, publish the next."""
    measured = {}
    for broker in brokers.installed():
        with brokers.channel(context, broker) as url, Program(url) as program:
            measured[broker] = summary(repeat(lambda: _one_job(program), 2 * context.samples))
        say(f"published to result, {broker}: {brief(measured[broker])}")
        context.results.put("channel", brokers=measured)


def _one_job(program: Program) -> float:
    job_id = str(uuid4())
    began = time.monotonic()
    program.publish({"job_id": job_id, "job_payload": {"type": "integer", "value": 0}})
    result = program.result_of(job_id)
    seconds = time.monotonic() - began
    if result["state"] != "success":
        raise GaveUp(f"job {job_id} is {result['state']}: {result['error']}")
    return seconds
