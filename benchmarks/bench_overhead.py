"""What an action costs an agent besides the work: the operator's time, less the time that the network took."""

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.client import Client
from benchmarks.context import Context
from benchmarks.measure import GaveUp, brief, say, summary

_SOURCE = "COINREQUEST_PRICE_URL"
_WARM_UP = 8
_TIMES = re.compile(r"done in ([\d.]+) s, ([\d.]+) s of it in the action")
_RATES = b'{"data": {"currency": "BTC", "rates": {"USD": "65123.45", "GBP": "51234.10", "EUR": "60001"}}}'


def run(context: Context) -> None:
    """Measure both on our stack, whose agents ask a server on the loopback for prices; one job after the other."""
    with _answering() as stub:
        try:
            os.environ[_SOURCE] = stub.url
            context.stacks.fresh("ours")
            client = Client.of(context.stacks.ours())
            for name, job_type in (("url.test", "url-test"), ("coin.prices", "coin-prices")):
                params = {"url": f"{stub.url}/"} if name == "url.test" else {}
                samples = [_sample(client, stub, job_type, params) for _ in range(_WARM_UP + max(30, context.samples))]
                parts = {
                    part: summary([sample[part] for sample in samples[_WARM_UP:]])
                    for part in ("overhead", "platform", "work")
                }
                context.results.put("overhead", **{name: parts})
                say(f"{name}, besides the work: {brief(parts['overhead'])}")
        finally:
            # The next benchmark needs a stack whose prices come from where they always do.
            del os.environ[_SOURCE]
            context.stacks.fresh("ours")


def _sample(client: Client, stub: "_Stub", job_type: str, params: dict[str, Any]) -> dict[str, float]:
    """Run a job; return the seconds of its task that were no work, those of them outside the action, and the work.

    The work is what libcurl says of the whole exchange, or, of prices, how long the server took to answer.
    """
    job = client.call("POST", f"/jobs/v1/job-types/{job_type}/jobs", {"params": params})
    result = client.job_done(job["id"])["result"]
    found = _TIMES.search(client.send("GET", f"/jobs/v1/jobs/{job['id']}/log").text)
    if found is None:
        raise GaveUp(f"the log of job {job['id']} has no times")
    whole, inside = map(float, found.groups())
    work = result["phases"]["total"] if job_type == "url-test" else stub.last
    return {"overhead": whole - work, "platform": whole - inside, "work": work}


class _Stub:
    """A server that answers at once; `last` is how many seconds the last answer took."""

    def __init__(self) -> None:
        self.last = 0.0
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                began = time.perf_counter()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(_RATES)))
                self.end_headers()
                self.wfile.write(_RATES)
                stub.last = time.perf_counter() - began

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def _answering() -> Iterator[_Stub]:
    stub = _Stub()
    thread = threading.Thread(target=stub.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.server.shutdown()
        stub.server.server_close()
        thread.join()
