"""The interface of container runtimes."""

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
# An orphaned container is removed this many seconds after its time-out.
GRACE_SECONDS = 60
TMP_BYTES = 64 * MEBIBYTE
PROCESSES = 256

Report = Callable[[float], None]


class RuntimeUnavailable(Exception):
    """The engine or the cluster is not available, or has no such image."""


class TimedOut(Exception):
    """The container ran longer than its time-out."""


class Stopped(Exception):
    """`stop` was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """The specification of a container.

    Attributes:
        image: the full name of the image.
        command: the arguments of the image's entry point, or the command if it has none; empty for those of the image.
        environment: variables, without secrets.
        working_directory: an absolute path; empty for that of the image.
        user: the user id and the group id; never 0.
        memory_bytes: the memory limit, including files in memory; there is no swap.
        cpus: the CPU limit, in processors.
        timeout: seconds from its start.
        network: the network to connect to; None for no network.
        job: the id of the job, for a label.
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
    """The outcome of a container.

    Attributes:
        exit_code: the exit code of the main process.
        out_of_memory: whether it was killed because it ran out of memory.
    """

    exit_code: int
    out_of_memory: bool


class Runtime(ABC):
    """Runs a container and always removes it."""

    def __init__(self) -> None:
        self.stopped = False

    @abstractmethod
    def run(self, spec: ContainerSpec, output: Output, report: Report) -> Outcome:
        """Run a container until it exits.

        Args:
            spec: the specification of the container.
            output: collects standard output and standard error.
            report: called every few seconds with the seconds since the start.

        Raises:
            RuntimeUnavailable: the container cannot be run.
            TimedOut: it ran too long and was killed.
            Stopped: `stop` was called and it was killed.
        """

    @abstractmethod
    def stop(self) -> None:
        """Kill and remove the container; called from a signal handler during `run`."""


def new_name() -> str:
    """Return a unique name for a container."""
    return NAME_PREFIX + uuid.uuid4().hex[:20]


def labels(timeout: float, job: str = "") -> dict[str, str]:
    """Return the labels of a container: the action, the agent, the job, and the Unix time from which it is orphaned.

    Kubernetes limits the length and the characters of values, and ids of scheduled runs do not comply:
    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    """
    return {
        "coinrequest.action": "container.run",
        "coinrequest.agent": socket.gethostname()[:63].strip(".-_"),
        "coinrequest.job": re.sub(r"[^A-Za-z0-9_.-]", "-", job)[:63].strip(".-_"),
        "coinrequest.until": str(int(time.time() + timeout + GRACE_SECONDS)),
    }


def is_orphaned(name: str, labels: Mapping[str, str]) -> bool:
    """Return whether a container belongs to the platform, and its agent can no longer be waiting for it."""
    until = labels.get("coinrequest.until", "")
    return name.startswith(NAME_PREFIX) and until.isascii() and until.isdigit() and int(until) < time.time()
