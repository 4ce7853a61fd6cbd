"""The demonstration: `coinrequest demo` (or `make demo`, which starts the embedded stack first).

It registers a job type that no file defines, submits a job of it, waits for the result, and prints what happened.
"""

import argparse
import json
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_TIMEOUT_SECONDS = 60


class DemoFailed(Exception):
    """A step did not go as it should; the message says which one, and what the server answered."""


def document(name: str, url: str) -> dict[str, object]:
    """Return the definition that the demonstration registers: it tests the URL that a job's params name."""
    return {
        "name": name,
        "description": "Is our own web server up? Registered over REST by the demonstration",
        "owner": "demo",
        "tags": ["demo"],
        "params": {
            "type": "object",
            "properties": {"url": {"type": "string", "default": url}},
            "additionalProperties": False,
        },
        "tasks": [{"id": "check", "action": "url.test", "inputs": {"url": "{{ params.url }}"}, "timeout": "30s"}],
    }


class Client:
    """A signed-in client of one installation.

    Args:
        url: the installation's address, such as `http://localhost:8080`.
        username, password: the sign-in; exchanged for a token at once.

    Raises:
        DemoFailed: the sign-in was refused, or the server cannot be reached.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        import requests

        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        answer = self.call("POST", "/auth/token", json={"username": username, "password": password})
        self._session.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Make one call and return the answer's JSON.

        Raises:
            DemoFailed: no answer, or one with an error status.
        """
        import requests

        try:
            answer = self._session.request(method, f"{self._url}{path}", timeout=_TIMEOUT_SECONDS, **options)
        except requests.RequestException as error:
            raise DemoFailed(f"{method} {path}: {error}; is the stack up (make status)?") from error
        if answer.status_code >= 400:
            raise DemoFailed(f"{method} {path} answered {answer.status_code}: {answer.text[:1000]}")
        return answer.json()


def run(environment: Mapping[str, str]) -> None:
    """Run the demonstration against the installation that `environment` names, and print what happens.

    Args:
        environment: `COINREQUEST_URL`, `COINREQUEST_USERNAME` and `COINREQUEST_PASSWORD`.
    """
    url = environment["COINREQUEST_URL"].rstrip("/")
    client = Client(url, environment["COINREQUEST_USERNAME"], environment["COINREQUEST_PASSWORD"])
    name = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    target = f"{url}/api/v2/version"

    print(f"Registering the job type {name}: POST {url}/jobs/v1/job-types")
    started = time.monotonic()
    client.call("POST", "/jobs/v1/job-types", json=document(name, target))
    registered = time.monotonic()

    print(f"Submitting a job of it: POST {url}/jobs/v1/job-types/{name}/jobs")
    job = client.call("POST", f"/jobs/v1/job-types/{name}/jobs", json={"params": {}})
    submitted = time.monotonic()
    while job["state"] in ("queued", "running"):
        if time.monotonic() - submitted > _TIMEOUT_SECONDS:
            raise DemoFailed(f"Job {job['id']} is still {job['state']} after {_TIMEOUT_SECONDS} s; see make logs")
        job = client.call("GET", f"/jobs/v1/jobs/{job['id']}?wait=30")
    done = time.monotonic()
    if job["state"] != "success":
        raise DemoFailed(f"Job {job['id']} ended as {job['state']}: {job.get('error')}")

    print(f"Result of testing {target}:")
    print(json.dumps(job["result"], indent=2, ensure_ascii=False))
    print()
    print(f"  register -> runnable   {registered - started:6.2f} s")
    print(f"  submit   -> accepted   {submitted - registered:6.2f} s")
    print(f"  submit   -> done       {done - registered:6.2f} s")
    print()
    print(f"  The DAG in the UI      {url}/dags/{name}")
    print(f"  This job in the UI     {url}/dags/{name}/runs/{job['id']}")
    print(f"  REST documentation     {url}/jobs/docs")
    print(f"  Sign in as             {environment['COINREQUEST_USERNAME']}")
    print("  with the password      COINREQUEST_PASSWORD in .stack/env")
    print("  Stop with              make down")


def main(words: Sequence[str] = ()) -> int:
    """Run the demonstration; return the exit code.

    Args:
        words: the command line behind `coinrequest demo`.
    """
    parser = argparse.ArgumentParser(
        prog="coinrequest demo", description="Register a new job type over REST, run a job of it, show what happened."
    )
    parser.add_argument(
        "--env",
        metavar="FILE",
        type=Path,
        default=Path(os.environ.get("COINREQUEST_STACK_ROOT", ".stack")) / "env",
        help="where the sign-in is read from when the environment does not hold it (default: %(default)s)",
    )
    try:
        run({**_read_exports(parser.parse_args(words).env), **os.environ})
    except KeyError as error:
        print(f"{error.args[0]} is not set; start the stack with make up")
        return 2
    except DemoFailed as error:
        print(f"The demonstration failed. {error}")
        return 1
    return 0


def _read_exports(path: Path) -> dict[str, str]:
    """Return the variables that a file of `export NAME=value` lines sets; none where there is no file."""
    if not path.exists():
        return {}
    assignments = (word for word in shlex.split(path.read_text(), comments=True) if "=" in word)
    return dict(assignment.split("=", 1) for assignment in assignments)
