"""A platform in containers, as a person uses it: by `docker compose`, and over its port on loopback."""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from support.client import API, Client
from support.ports import free_ports
from support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
PORTS = (
    "COINREQUEST_PORT",
    "COINREQUEST_FLOWER_PORT",
    "COINREQUEST_MAIL_PORT",
    "COINREQUEST_RABBITMQ_PORT",
    "COINREQUEST_RABBITMQ_PAGE_PORT",
)
DONE = ("success", "failed", "cancelled", "removed")
# The first start on a busy machine; an idle one needs less than a minute.
UP_SECONDS = 300.0


def require_engine() -> None:
    """Skip the test, loudly, where there is no Docker engine with Compose."""
    for words, missing in ((["docker", "info"], "Docker engine"), (["docker", "compose", "version"], "Compose plugin")):
        try:
            answer = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
            problem = answer.stderr.strip() if answer.returncode else ""
        except OSError as error:
            problem = str(error)
        if problem:
            pytest.skip(f"there is no {missing}, so the containers were NOT tried for real: {problem}")


class ComposeStack:
    """One project of Docker Compose with ports of its own; nothing of the shell's settings reaches it.

    Args:
        project: its name; containers, volumes and networks carry it.
        files: the Compose files, relative to the repository.
        settings: variables that the files read, beside the ports.
    """

    def __init__(
        self,
        project: str,
        files: Sequence[str] = ("docker-compose.yaml",),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.project = project
        self.settings = {**dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True)), **(settings or {})}
        self._files = [word for file in files for word in ("-f", file)]
        self._clients: dict[str, Client] = {}

    @property
    def url(self) -> str:
        """The address of the web server on this machine."""
        return f"http://127.0.0.1:{self.settings['COINREQUEST_PORT']}"

    # -- docker compose ------------------------------------------------------------------------------------

    def compose(
        self, *words: str, check: bool = True, timeout: float = UP_SECONDS, stdin: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run `docker compose WORDS`; with `check`, a failure shows what it wrote."""
        answer = subprocess.run(
            ["docker", "compose", "-p", self.project, *self._files, *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            input=stdin,
        )
        assert not check or answer.returncode == 0, f"docker compose {' '.join(words)}:\n{answer.stdout}{answer.stderr}"
        return answer

    @property
    def environment(self) -> dict[str, str]:
        """What `docker compose` gets: this process's environment with the settings of this stack alone."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("COINREQUEST_", "COMPOSE_", "AIRFLOW_"))}
        return {**kept, **self.settings}

    def up(self, *words: str, profiles: str = "") -> float:
        """Start what is not up, wait until everything is healthy, and return the seconds that it took.

        Args:
            profiles: with commas; stays set for the commands that follow.
        """
        self.settings["COMPOSE_PROFILES"] = profiles
        began = time.monotonic()
        answer = self.compose("up", "-d", "--wait", *words, check=False)
        assert answer.returncode == 0, f"{answer.stderr}\n{self.logs()}"
        return time.monotonic() - began

    def scale(self, agents: int) -> None:
        """Start or take away agents, and wait until that is done; nothing else is touched."""
        self.compose("up", "-d", "--wait", "--no-deps", "--no-recreate", "--scale", f"agent={agents}", "agent")

    def down(self) -> None:
        """Stop everything, and remove its data; nothing of the project is left."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self.compose("--profile", "*", "down", "-v", "--remove-orphans", "-t", "5")

    def logs(self, *services: str) -> str:
        """Return the last lines of some services, or of all."""
        return self.compose("logs", "--no-color", "--tail", "40", *services, check=False).stdout

    def containers(self, service: str | None = None) -> list[dict[str, Any]]:
        """Return what `docker inspect` says of the containers of one service, or of all, stopped ones too."""
        words = ["ps", "-aq", *([service] if service else [])]
        ids = self.compose(*words).stdout.split()
        return inspect(*ids) if ids else []

    def execute(self, service: str, *words: str, check: bool = True) -> str:
        """Run a command in a running container of the service, and return what it wrote."""
        return self.compose("exec", "-T", service, *words, check=check).stdout

    def kill(self, service: str) -> None:
        """End the service's processes at once with SIGKILL, from inside; Docker must start its container again.

        `docker kill` would not do: it counts as a wish that the container be stopped.
        """
        if service == "postgres":
            # It is the first process of its container, which no signal from inside can kill.
            self.compose("restart", "-t", "0", service)
            return
        before = [container["RestartCount"] for container in self.containers(service)]
        self.compose("exec", "-T", service, "sh", "-c", "kill -9 -1", check=False)

        def started_again() -> bool:
            found = self.containers(service)
            again = sum(one["RestartCount"] for one in found) > sum(before)
            return again and all(one["State"]["Running"] for one in found)

        eventually(started_again, timeout=60, what=f"a restart of {service}")

    def states(self) -> dict[str, str]:
        """Return health, or else state, of every container by its name without the project's."""
        found = {}
        for container in self.containers():
            state = container["State"]
            name = container["Name"].removeprefix(f"/{self.project}-")
            found[name] = state["Health"]["Status"] if "Health" in state else f"{state['Status']} {state['ExitCode']}"
        return found

    # -- the platform --------------------------------------------------------------------------------------

    def sign_in(self) -> dict[str, str]:
        """Return what `docker compose run --rm cli sign-in` prints."""
        lines = self.compose("run", "--rm", "-T", "cli", "sign-in").stdout.splitlines()
        return dict(shlex.split(line)[1].split("=", 1) for line in lines)

    def client(self, role: str = "op") -> Client:
        """Return a signed-in client: `admin`, `op`, `user` or `viewer`."""
        if role not in self._clients:
            shown = self.sign_in()
            password = shown[f"COINREQUEST_{role.upper()}_PASSWORD"]
            self._clients[role] = Client(self.url, shown[f"COINREQUEST_{role.upper()}_USERNAME"], password)
        return self._clients[role]

    def submit(self, name: str, params: Mapping[str, Any], **fields: Any) -> str:
        """Submit a job that has to be accepted; return its id."""
        answer = self.client().post(f"{API}/job-types/{name}/jobs", json={"params": dict(params), **fields})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def finished(self, job_id: str, timeout: float = 120.0) -> dict[str, Any]:
        """Wait until a job is done, also while the web server is away now and then."""

        def done() -> dict[str, Any]:
            try:
                answer = self.client().get(f"{API}/jobs/{job_id}", timeout=20)
            except requests.RequestException as error:
                raise AssertionError(str(error)) from error
            assert answer.status_code == 200, answer.text
            job: dict[str, Any] = answer.json()
            assert job["state"] in DONE, job
            return job

        return eventually(done, timeout=timeout, interval=0.5)


def inspect(*ids: str) -> list[dict[str, Any]]:
    """Return what the engine knows about containers, images, volumes or networks."""
    answer = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=True, timeout=60)
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found


def left_of(project: str) -> list[str]:
    """Return the containers, volumes and networks that the engine still has of a project."""
    found = []
    for kind, words in (("container", ["ps", "-a"]), ("volume", ["volume", "ls"]), ("network", ["network", "ls"])):
        answer = subprocess.run(
            ["docker", *words, "-q", "--filter", f"label=com.docker.compose.project={project}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        found += [f"{kind} {name}" for name in answer.stdout.split()]
    return found
