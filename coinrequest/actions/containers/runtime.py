"""What `container.run` asks of whatever runs its containers."""

import re
import socket
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from coinrequest.actions.containers.output import Output
from coinrequest.limits import MEBIBYTE

NAME_PREFIX = "coinrequest-"
# A container that its agent has left alone is removed this many seconds after its time was over.
GRACE_SECONDS = 60
TMP_BYTES = 64 * MEBIBYTE
PROCESSES = 256

Report = Callable[[float], None]


class RuntimeUnavailable(Exception):
    """The engine or the cluster cannot be used, or has no such image; the message says why."""


class TimedOut(Exception):
    """The container ran longer than it may."""


class Stopped(Exception):
    """The container was stopped from outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """A container to run, with everything that it is given.

    Attributes:
        image: its full name.
        command: the arguments of the image's entry point, or its whole command where it has none; none: the image's.
        environment: variables; no secrets.
        working_directory: an absolute path; empty: the image's.
        user: the number of the user and of the group; never 0.
        memory_bytes: with its files in memory; there is no swap beside it.
        cpus: how many processors' time.
        timeout: seconds from its start.
        network: the network that it joins; None: it has none.
        job: whose it is, for whoever looks at the engine.
    """

    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = ""
    user: int = 65_534
    memory_bytes: int = 256 * MEBIBYTE
    cpus: float = 1.0
    timeout: float = 300.0
    network: str | None = None
    job: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a container ended.

    Attributes:
        exit_code: that of its first process.
        out_of_memory: whether it was killed because it wanted more than it may have.
    """

    exit_code: int
    out_of_memory: bool


class Runtime(ABC):
    """Runs one container, and removes it whatever happens."""

    def __init__(self) -> None:
        self.stopped = False

    @abstractmethod
    def run(self, spec: ContainerSpec, output: Output, report: Report) -> Outcome:
        """Run a container to its end.

        Args:
            spec: the container.
            output: takes what it writes, on both channels.
            report: is called at least every few seconds with the seconds since its start.

        Raises:
            RuntimeUnavailable: it cannot be run.
            TimedOut: it ran too long, and was killed.
            Stopped: `stop` was called, and it was killed.
        """

    @abstractmethod
    def stop(self) -> None:
        """Kill and remove the container; called from a signal handler while `run` is at work."""


def new_name() -> str:
    """Return a name that no other container has."""
    return NAME_PREFIX + uuid.uuid4().hex[:20]


def labels(timeout: float, job: str = "") -> dict[str, str]:
    """Return what is written on a container: what it is, whose, and from when (Unix time) it may be removed.

    The form suits both Docker and Kubernetes, where a value is short and plain; the ids of scheduled runs are not:
    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    """
    return {
        "coinrequest.action": "container.run",
        "coinrequest.agent": socket.gethostname()[:63].strip(".-_"),
        "coinrequest.job": re.sub(r"[^A-Za-z0-9_.-]", "-", job)[:63].strip(".-_"),
        "coinrequest.until": str(int(time.time() + timeout + GRACE_SECONDS)),
    }


def is_orphaned(name: str, written: Mapping[str, str]) -> bool:
    """Tell whether a container is one of ours whose agent can no longer be waiting for it."""
    until = written.get("coinrequest.until", "")
    return name.startswith(NAME_PREFIX) and until.isascii() and until.isdigit() and int(until) < time.time()
