"""The demonstration: `coinrequest demo`, or `make demo`, which starts the embedded stack first.

It registers a job type over REST, submits a job, waits for the result, and prints each step.
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

from coinrequest.errors import CoinrequestError

_TIMEOUT_SECONDS = 60

# The commands to show depend on how the platform was started.
_MAKE = {
    "status": "make status",
    "logs": "make logs",
    "password": "COINREQUEST_PASSWORD in .stack/env",
    "stop": "make down",
}
_COMPOSE = {
    "status": "docker compose ps",
    "logs": "docker compose logs",
    "password": "docker compose run --rm cli sign-in",
    "stop": "docker compose down",
}


class DemoFailed(CoinrequestError):
    """A step of the demonstration failed."""


def document(name: str, url: str) -> dict[str, object]:
    """Return the definition of the job type, which tests the URL in the param `url`."""
    return {
        "name": name,
        "description": "Tests whether our own web server is up. Registered over REST by the demonstration",
        "owner": "demo",
        "tags": ["demo"],
        "params": {
            "type": "object",
            "properties": {"url": {"type": "string", "default": url}},
            "additionalProperties": False,
        },
        "tasks": [
            {
                "id": "check",
                "action": "url.test",
                "inputs": {"url": "{{ params.url }}", "must_pass": True},
                "timeout": "30s",
            }
        ],
    }


class Client:
    """A client of the REST API, signed in as a user.

    Args:
        url: the address of the installation, such as `http://localhost:8080`.
        username, password: the credentials of the user.
        status: the command that shows the state of the processes, for error messages.

    Raises:
        DemoFailed: the credentials are wrong, or there is no response within a minute.
    """

    def __init__(self, url: str, username: str, password: str, status: str = _MAKE["status"]) -> None:
        import requests

        self._url = url.rstrip("/")
        self._status = status
        self._session = requests.Session()
        self._session.trust_env = False
        self._await_server()
        response = self.call("POST", "/auth/token", json={"username": username, "password": password})
        self._session.headers["Authorization"] = f"Bearer {response['access_token']}"

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the JSON of the response.

        Raises:
            DemoFailed: there is no response, or it has an error status.
        """
        import requests

        try:
            response = self._session.request(method, f"{self._url}{path}", timeout=_TIMEOUT_SECONDS, **options)
        except requests.RequestException as error:
            raise DemoFailed(f"{method} {path}: {error}; check that the stack is up with {self._status}") from error
        if response.status_code >= 400:
            raise DemoFailed(f"{method} {path} answered {response.status_code}: {response.text[:1000]}")
        return response.json() if response.content else None

    def _await_server(self) -> None:
        import requests

        deadline, announced = time.monotonic() + _TIMEOUT_SECONDS, False
        while True:
            try:
                if self._session.get(f"{self._url}/api/v2/version", timeout=5).ok:
                    return
                reason = "it is not ready"
            except requests.RequestException as error:
                reason = str(error)
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"No response from {self._url} within {_TIMEOUT_SECONDS} s ({reason}); see {self._status}"
                )
            if not announced:
                print(f"Waiting for the web server at {self._url} ...", flush=True)
            announced = True
            time.sleep(1)


def run(environment: Mapping[str, str], commands: Mapping[str, str] = _MAKE) -> None:
    """Run the demonstration, and print each step.

    Args:
        environment: the variables `COINREQUEST_URL`, `COINREQUEST_USERNAME` and `COINREQUEST_PASSWORD`;
            optionally `COINREQUEST_API_URL`, if the web server has another address here than in a browser, and
            `COINREQUEST_DEMO_KEEP=no` to delete the job type at the end.
        commands: the commands to show, by purpose.
    """
    url = environment["COINREQUEST_URL"].rstrip("/")
    server = environment.get("COINREQUEST_API_URL", url).rstrip("/")
    client = Client(
        server, environment["COINREQUEST_USERNAME"], environment["COINREQUEST_PASSWORD"], commands["status"]
    )
    name = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    target = f"{server}/api/v2/version"

    print(f"Registering the job type {name}: POST {url}/jobs/v1/job-types")
    started = time.monotonic()
    client.call("POST", "/jobs/v1/job-types", json=document(name, target))
    registered = time.monotonic()

    print(f"Submitting a job: POST {url}/jobs/v1/job-types/{name}/jobs")
    job = client.call("POST", f"/jobs/v1/job-types/{name}/jobs", json={"params": {}})
    submitted = time.monotonic()
    while job["state"] in ("queued", "running"):
        if time.monotonic() - submitted > _TIMEOUT_SECONDS:
            raise DemoFailed(
                f"Job {job['id']} is still {job['state']} after {_TIMEOUT_SECONDS} s; see {commands['logs']}"
            )
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
    if environment.get("COINREQUEST_DEMO_KEEP") == "no":
        client.call("DELETE", f"/jobs/v1/job-types/{name}")
        print(f"Deleted the job type {name}.")
        return
    print(f"  The DAG in the UI      {url}/dags/{name}")
    print(f"  This job in the UI     {url}/dags/{name}/runs/{job['id']}")
    print(f"  REST documentation     {url}/jobs/docs")
    print(f"  Sign in as             {environment['COINREQUEST_USERNAME']}")
    print(f"  with the password      {commands['password']}")
    print(f"  Stop with              {commands['stop']}")


def main(words: Sequence[str] = ()) -> int:
    """Run the command and return its exit code.

    Args:
        words: the arguments after `coinrequest demo`.
    """
    parser = argparse.ArgumentParser(
        prog="coinrequest demo", description="Register a job type over REST, run a job, and print each step."
    )
    parser.add_argument(
        "--env",
        metavar="FILE",
        type=Path,
        default=Path(os.environ.get("COINREQUEST_STACK_ROOT", ".stack")) / "env",
        help="file with the credentials, unless they are in the environment (default: %(default)s)",
    )
    parser.add_argument("--compose", action="store_true", help="show commands for Docker Compose instead of make")
    options = parser.parse_args(words)
    try:
        run({**_read_exports(options.env), **os.environ}, _COMPOSE if options.compose else _MAKE)
    except KeyError as error:
        print(f"{error.args[0]} is not set; start the stack with `make up`")
        return 2
    except DemoFailed as error:
        print(f"The demonstration failed: {error}")
        return 1
    return 0


def _read_exports(path: Path) -> dict[str, str]:
    """Return the variables in a file of `export NAME=value` lines; none if the file does not exist."""
    if not path.exists():
        return {}
    assignments = (word for word in shlex.split(path.read_text(), comments=True) if "=" in word)
    return dict(assignment.split("=", 1) for assignment in assignments)
