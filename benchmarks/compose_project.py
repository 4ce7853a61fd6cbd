"""A Compose project of a benchmark: its commands, its containers' memory and CPU, its administrator."""

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from benchmarks.client import Client
from benchmarks.measure import GaveUp
from benchmarks.processes import cpu_seconds
from coinrequest.stack.layout import project_root

_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def require_engine() -> None:
    """Raise `GaveUp` where there is no Docker engine with Compose."""
    try:
        subprocess.run(["docker", "compose", "version"], check=True, capture_output=True)
        subprocess.run(["docker", "info"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise GaveUp("there is no Docker engine with Compose") from error


@dataclass(frozen=True)
class ComposeProject:
    """The platform in containers under a name and port of its own.

    Attributes:
        name: of the Compose project.
        image: which image of the project runs.
        port: of the web server, on loopback.
        files: Compose files beside `docker-compose.yaml`, whole paths.
    """

    name: str
    image: str
    port: str
    files: Sequence[str] = ()

    def compose(self, *words: str) -> str:
        """Run `docker compose` and return its output; `GaveUp` where it fails."""
        settings = {"COINREQUEST_IMAGE": self.image, "COINREQUEST_PORT": self.port, "COMPOSE_PROFILES": ""}
        files = [part for file in ("docker-compose.yaml", *self.files) for part in ("-f", file)]
        answer = subprocess.run(
            ["docker", "compose", "-p", self.name, *files, *words],
            cwd=project_root(),
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode:
            raise GaveUp(f"docker compose {' '.join(words)}: {answer.stderr[-500:]}")
        return answer.stdout

    def up(self, *services: str) -> float:
        """Start all services, or some with what they need; return the seconds until they are healthy."""
        began = time.monotonic()
        self.compose("up", "-d", "--wait", *services)
        return time.monotonic() - began

    def remove(self) -> None:
        """Remove the containers and their data."""
        self.compose("down", "-v", "-t", "5")

    def containers(self) -> list[str]:
        """Return the names of the containers that run."""
        return [json.loads(line)["Name"] for line in self.compose("ps", "--format", "json").splitlines()]

    def service(self, container: str) -> str:
        """Return the service to which a container belongs."""
        return container.removeprefix(f"{self.name}-").rpartition("-")[0]

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds of each service so far: of its processes and of those that they have outlived."""
        spent = {}
        for name in self.containers():
            shown = subprocess.run(["docker", "top", name, "-o", "pid"], check=True, capture_output=True, text=True)
            spent[self.service(name)] = sum(map(_cpu, shown.stdout.split()[1:]))
        return spent

    def memory(self) -> dict[str, float]:
        """Return the memory of each service in MiB, as the engine counts it against the limit."""
        words = ["docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *self.containers()]
        shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        found = {}
        for line in shown.splitlines():
            name, used = line.split()[:2]
            number, unit = re.fullmatch(r"([\d.]+)(\w+)", used).groups()  # type: ignore[union-attr]
            found[self.service(name)] = round(float(number) * _UNITS[unit] / 2**20, 1)
        return found

    def limits(self) -> dict[str, float]:
        """Return the memory limit of each service in MiB."""
        words = ["docker", "inspect", "-f", "{{.Name}} {{.HostConfig.Memory}}", *self.containers()]
        shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        return {self.service(line.split()[0].lstrip("/")): int(line.split()[1]) / 2**20 for line in shown.splitlines()}

    def idle(self, seconds: float) -> dict[str, dict[str, float]]:
        """Watch for a while; return memory (MiB) and CPU (percent of one core) of each service."""
        before, began = self.cpu(), time.monotonic()
        time.sleep(seconds)
        after, elapsed = self.cpu(), time.monotonic() - began
        memory = self.memory()
        return {
            name: {"mib": memory[name], "cpu_percent": round(100 * (after[name] - before[name]) / elapsed, 2)}
            for name in sorted(memory)
        }

    def clients(self, count: int) -> list[Client]:
        """Return clients that are signed in as the administrator."""
        lines = self.compose("run", "--rm", "-T", "cli", "sign-in").splitlines()
        shown: Mapping[str, str] = dict(shlex.split(line)[1].split("=", 1) for line in lines)
        user = shown["COINREQUEST_USERNAME"], shown["COINREQUEST_PASSWORD"]
        return [Client(f"http://127.0.0.1:{self.port}", *user) for _ in range(count)]


def _cpu(pid: str) -> float:
    try:
        return cpu_seconds(psutil.Process(int(pid)))
    except psutil.NoSuchProcess:
        # A health check that has just ended; its parent has its time now.
        return 0.0
