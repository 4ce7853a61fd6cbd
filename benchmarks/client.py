"""A signed-in REST client with one connection that is kept open, as any client of a service has."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import requests

from benchmarks.measure import GaveUp, wait_for
from coinrequest.stack import Stack

_TIMEOUT = 70.0


class Client:
    """One client; use it from one thread only.

    Args:
        url: of a running web server.
        username, password: the sign-in.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        token = self.call("POST", "/auth/token", {"username": username, "password": password})
        self._session.headers["Authorization"] = f"Bearer {token['access_token']}"

    @classmethod
    def of(cls, stack: Stack) -> "Client":
        """Return a client of a running stack, signed in as its administrator."""
        user = stack.credentials("admin")
        return cls(stack.url, user.username, user.password)

    def send(self, method: str, path: str, body: object = None) -> requests.Response:
        """Make one call and return the answer, whatever its status."""
        return self._session.request(method, self._url + path, json=body, timeout=_TIMEOUT)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Make one call and return the answer's JSON.

        Raises:
            GaveUp: the answer has an error status.
        """
        answer = self.send(method, path, body)
        if answer.status_code >= 400:
            raise GaveUp(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def call_until_accepted(
        self, method: str, path: str, body: object, timeout: float, interval: float = 0.01
    ) -> tuple[Any, int]:
        """Repeat a call until it is accepted; return the answer's JSON and how often it was refused.

        Raises:
            GaveUp: still refused after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        refused = 0
        while True:
            answer = self.send(method, path, body)
            if answer.status_code < 400:
                return answer.json(), refused
            if time.monotonic() > deadline:
                raise GaveUp(f"{method} {path}: {answer.status_code} after {timeout:.0f} s: {answer.text[:300]}")
            refused += 1
            time.sleep(interval)

    def job_done(self, job_id: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait for the end of a job, which has to be a success, and return the job.

        Raises:
            GaveUp: it failed, or it is not done in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            job: dict[str, Any] = self.call("GET", f"/jobs/v1/jobs/{job_id}?wait=30")
            if job["state"] == "success":
                return job
            if job["state"] not in ("queued", "running"):
                raise GaveUp(f"job {job_id} is {job['state']}: {job.get('error')}")
            if time.monotonic() > deadline:
                raise GaveUp(f"not done within {timeout:.0f} s")

    def run_done(self, dag_id: str, run_id: str, timeout: float = 60.0, interval: float = 0.1) -> dict[str, Any]:
        """Wait for the end of a DAG run, which has to be a success, by asking for it again and again."""

        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
            return run if run["state"] in ("success", "failed") else None

        run = wait_for(f"run {run_id} of {dag_id}", ended, timeout, interval)
        if run["state"] != "success":
            raise GaveUp(f"run {run_id} of {dag_id} failed")
        return run

    def runs(self, dag_id: str, state: str) -> tuple[int, datetime | None]:
        """Return how many runs of a DAG are in a state, and when the last of them ended."""
        answer = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?state={state}&limit=1&order_by=-end_date")
        ends = [datetime.fromisoformat(run["end_date"]) for run in answer["dag_runs"] if run["end_date"]]
        return int(answer["total_entries"]), ends[0] if ends else None


def at_once(clients: Sequence[Client], calls: int, call: Callable[[Client], object]) -> None:
    """Make calls from all clients at the same time, each its share one after the other."""

    def work(number: int) -> None:
        for _ in range(number, calls, len(clients)):
            call(clients[number])

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(work, range(len(clients))))
