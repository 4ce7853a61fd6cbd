"""A thousand URLs at a time: this project's test, httpx that only GETs them, and curl."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

from benchmarks import url_clients, url_stub
from benchmarks.context import Context
from benchmarks.measure import GaveUp, brief, in_turn, say, summary
from benchmarks.processes import run_module
from coinrequest.stack.layout import project_root

URLS = 1_000
CONCURRENCY = 50
_ROUNDS = 8

Client = Callable[[list[str]], float]


def run(context: Context) -> None:
    """Let every client request the URLs, in turn, again and again."""
    clients = _clients()
    context.results.describe(httpx=version("httpx"), curl=_curl_version(), pycurl=_pycurl_version())
    rounds = min(context.samples, _ROUNDS)
    hosts = 1 if sys.platform == "darwin" else URLS
    measured: dict[str, dict[str, dict[str, float]]] = {}
    with url_stub.running(hosts) as port:
        targets = {
            "answered at once": [f"http://127.0.0.1:{port}/"] * URLS,
            "answered after 20 ms": [f"http://127.0.0.1:{port}/delay=20"] * URLS,
        }
        if hosts == URLS:
            targets["answered at once, each URL another host"] = [
                f"http://{host}:{port}/" for host in url_stub.many_hosts(hosts)
            ]
        for target, listed in targets.items():
            # Between a thousand hosts no connection can be kept, so that both ways of httpx are the same.
            asked = {name: client for name, client in clients.items() if len(set(listed)) == 1 or name != "httpx"}
            ways = {name: partial(client, listed) for name, client in asked.items()}
            measured[target] = {name: summary(seconds) for name, seconds in in_turn(ways, rounds).items()}
            for name, described in measured[target].items():
                say(f"{URLS} URLs, {target}, {name}: {brief(described)}")
            context.results.put("urls", urls=URLS, concurrency=CONCURRENCY, targets=measured)


def _clients() -> dict[str, Client]:
    clients: dict[str, Client] = {name: partial(_program, name) for name in url_clients.CLIENTS}
    clients["ours, `coinrequest url --json`"] = _command
    if shutil.which("curl"):
        clients["curl"] = _curl
    return clients


def _program(name: str, urls: list[str]) -> float:
    """Return the seconds that the client itself measured, from its first request to its last answer."""
    result = run_module("url_clients", name, given={"urls": urls, "concurrency": CONCURRENCY}, timeout=120)
    _check(name, result["answered"])
    return float(result["seconds"])


def _command(urls: list[str]) -> float:
    """Return the seconds of the whole process, the start of Python included."""
    words = [sys.executable, "-m", "coinrequest.cli", "url", "--file", "-", "--json"]
    words += ["--concurrency", str(CONCURRENCY), "--allow", "127.0.0.0/8"]
    output, seconds = _timed(words, "\n".join(urls))
    _check("coinrequest url", sum(json.loads(line)["status"] == 200 for line in output.splitlines()))
    return seconds


def _curl(urls: list[str]) -> float:
    """Return the seconds of the whole process."""
    words = ["curl", "--disable", "--silent", "--noproxy", "*", "--parallel", "--parallel-max", str(CONCURRENCY)]
    words += ["--write-out", "%{http_code}\n", "--config", "-"]
    listed = "".join(f'url = "{url}"\noutput = "{os.devnull}"\n' for url in urls)
    output, seconds = _timed(words, listed)
    _check("curl", output.split().count("200"))
    return seconds


def _timed(words: list[str], given: str) -> tuple[str, float]:
    began = time.perf_counter()
    done = subprocess.run(
        words, cwd=project_root(), input=given, capture_output=True, text=True, timeout=120, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise GaveUp(f"{words[:4]} ended with {done.returncode}:\n{done.stderr[-1500:]}")
    return done.stdout, seconds


def _check(name: str, answered: int) -> None:
    if answered != URLS:
        raise GaveUp(f"{name} got {answered} of {URLS} answers")


def _curl_version() -> str:
    if not shutil.which("curl"):
        return "not installed"
    return subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


def _pycurl_version() -> str:
    import pycurl

    return str(pycurl.version)
