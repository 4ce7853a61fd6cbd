"""The state of a stack, in a file that its supervisor writes and other programs read."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from coinrequest.install.private_files import read_json, write_private
from coinrequest.stack.layout import Layout
from coinrequest.stack.processes import Identity, is_alive


class ProcessState(StrEnum):
    """The state of a process."""

    STARTING = "starting"
    RUNNING = "running"
    CRASHED = "crashed"
    FAILED = "failed"
    STOPPED = "stopped"


class StackPhase(StrEnum):
    """The phase of the stack."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class ProcessStatus:
    """A process as the supervisor last saw it.

    Attributes:
        name: its name.
        state: its state; after `crashed` it is restarted, after `failed` it is not.
        pid: its id while it is running.
        created: its start, in seconds since the epoch, which makes `pid` unique.
        since: when it entered the state, in seconds since the epoch.
        restarts: how often it was restarted after a crash.
        exit_code: its last exit code, which is the negative number of a signal that ended it.
        ended: when it last crashed, in seconds since the epoch.
        tail: its last log lines before the crash.
    """

    name: str
    state: ProcessState = ProcessState.STOPPED
    pid: int | None = None
    created: float = 0.0
    since: float = 0.0
    restarts: int = 0
    exit_code: int | None = None
    ended: float | None = None
    tail: tuple[str, ...] = ()

    @property
    def identity(self) -> Identity | None:
        """Return the identity of the process; None if it is not running."""
        return None if self.pid is None else Identity(self.pid, self.created)


@dataclass(frozen=True)
class Step:
    """A completed step of the start.

    Attributes:
        text: the result of the step.
        started: seconds after the start of the stack.
        finished: seconds after the start of the stack.
    """

    text: str
    started: float
    finished: float


@dataclass(frozen=True)
class StackStatus:
    """The state of a stack.

    Attributes:
        phase: its phase; `abandoned` if the supervisor has ended without cleaning up.
        supervisor: the identity of the supervisor.
        run: the mark of the processes of this start.
        started: its start, in seconds since the epoch.
        url: the address of the web server.
        steps: the completed steps of the start.
        processes: all processes by name.
        error: why the stack failed; empty if it has not.
    """

    phase: StackPhase = StackPhase.STOPPED
    supervisor: Identity | None = None
    run: str = ""
    started: float = 0.0
    url: str = ""
    steps: tuple[Step, ...] = ()
    processes: Mapping[str, ProcessStatus] = field(default_factory=dict)
    error: str = ""

    @property
    def healthy(self) -> bool:
        """Return whether all processes are running."""
        return self.phase is StackPhase.READY and all(
            process.state is ProcessState.RUNNING for process in self.processes.values()
        )


def write_status(layout: Layout, status: StackStatus) -> None:
    """Replace the state file atomically."""
    write_private(layout.state, json.dumps(asdict(status)))


def read_status(layout: Layout) -> StackStatus:
    """Return the state of the stack; processes that are gone count as stopped, even if the supervisor was killed."""
    document: dict[str, Any] = read_json(layout.state)
    if not document:
        return StackStatus()
    processes = {
        name: ProcessStatus(**{**entry, "state": ProcessState(entry["state"]), "tail": tuple(entry["tail"])})
        for name, entry in document["processes"].items()
    }
    status = StackStatus(
        phase=StackPhase(document["phase"]),
        supervisor=Identity(**document["supervisor"]) if document["supervisor"] else None,
        run=document["run"],
        started=document["started"],
        url=document["url"],
        steps=tuple(Step(**step) for step in document["steps"]),
        processes=processes,
        error=document["error"],
    )
    ended = status.phase in (StackPhase.STOPPED, StackPhase.FAILED)
    if ended or (status.supervisor is not None and is_alive(status.supervisor)):
        return status
    return replace(
        status,
        phase=StackPhase.ABANDONED,
        error="The supervisor is gone. `make down` stops its processes; `make up` also starts the stack again.",
        processes={name: _corrected(process) for name, process in processes.items()},
    )


def _corrected(process: ProcessStatus) -> ProcessStatus:
    if process.identity is None or is_alive(process.identity):
        return process
    # The identity stays, because children of the process may still be running.
    return replace(process, state=ProcessState.STOPPED)
