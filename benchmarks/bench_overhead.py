"""What an action costs an agent besides the work: the operator's time, less the time that the network took."""

import os
import re
import time
from typing import Any

from benchmarks.client import Client
from benchmarks.context import Context
from benchmarks.loopback import Handler, serving
from benchmarks.measure import GaveUp, brief, say, summary

_SOURCE = "COINREQUEST_PRICE_URL"
_WARM_UP = 8
_TIMES = re.compile(r"done in ([\d.]+) s, ([\d.]+) s of it in the action")
_RATES = b'{"data": {"currency": "BTC", "rates": {"USD": "65123.45", "GBP": "51234.10", "EUR": "60001"}}}'


def run(context: Context) -> None:
    """Measure both on our stack, whose agents ask a server on the loopback for prices; one job after the other."""
    with serving(_Prices) as url:
        try:
            os.environ[_SOURCE] = url
            context.stacks.fresh("ours")
            client = Client.of(context.stacks.ours())
            for action, job_type, params in (
                ("url.test", "url-test", {"url": f"{url}/"}),
                ("coin.prices", "coin-prices", {}),
            ):
                samples = [_sample(client, job_type, params) for _ in range(_WARM_UP + max(30, context.samples))]
                parts = {part: summary([sample[part] for sample in samples[_WARM_UP:]]) for part in samples[0]}
                context.results.put("overhead", **{action: parts})
                say(f"{action}, besides the work: {brief(parts['overhead'])}")
        finally:
            # The next benchmark needs a stack whose prices come from where they always do.
            del os.environ[_SOURCE]
            context.stacks.fresh("ours")


class _Prices(Handler):
    """Answers at once; `seconds` is how long the last answer took."""

    seconds = 0.0

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        began = time.perf_counter()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(_RATES)))
        self.end_headers()
        self.wfile.write(_RATES)
        _Prices.seconds = time.perf_counter() - began


def _sample(client: Client, job_type: str, params: dict[str, Any]) -> dict[str, float]:
    """Run a job; return the seconds of its task that were no work, those of them outside the action, and the work.

    The work is what libcurl says of the whole exchange, or, of prices, how long the server took to answer.
    """
    job = client.call("POST", f"/jobs/v1/job-types/{job_type}/jobs", {"params": params})
    result = client.job_done(job["id"])["result"]
    found = _TIMES.search(client.send("GET", f"/jobs/v1/jobs/{job['id']}/log").text)
    if found is None:
        raise GaveUp(f"the log of job {job['id']} has no times")
    whole, inside = map(float, found.groups())
    work = result["phases"]["total"] if job_type == "url-test" else _Prices.seconds
    return {"overhead": whole - work, "platform": whole - inside, "work": work}
