"""What the supervisor knows, in a file that anybody may read while it writes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from coinrequest.install.private_files import read_json, write_private
from coinrequest.stack.layout import Layout
from coinrequest.stack.processes import Identity, is_alive


class ProcessState(StrEnum):
    """The life of one process."""

    STARTING = "starting"
    RUNNING = "running"
    CRASHED = "crashed"
    FAILED = "failed"
    STOPPED = "stopped"


class StackPhase(StrEnum):
    """The life of the stack."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class ProcessStatus:
    """One process as the supervisor last saw it.

    Attributes:
        name: the process.
        state: where it is in its life; `crashed` is restarted, `failed` is not any more.
        pid: its id while it runs.
        created: its start, seconds since the epoch; with `pid` it is a certain identity.
        since: when it entered the state, seconds since the epoch.
        restarts: how often it was started again after a crash.
        exit_code: of its last end; negative: the number of the signal.
        ended: when it last ended unexpectedly, seconds since the epoch.
        tail: its last log lines before that end.
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
        """Return the process' certain identity; None while there is no process."""
        return None if self.pid is None else Identity(self.pid, self.created)


@dataclass(frozen=True)
class Step:
    """A step of the start that is done.

    Attributes:
        text: what was done.
        started: seconds after the start of the stack.
        finished: seconds after the start of the stack.
    """

    text: str
    started: float
    finished: float


@dataclass(frozen=True)
class StackStatus:
    """A stack as its supervisor last wrote it, corrected by what is true now.

    Attributes:
        phase: `abandoned` means that the supervisor is gone and did not clean up.
        supervisor: the supervisor's identity.
        run: the mark of this start's processes.
        started: seconds since the epoch.
        url: the web server's address.
        steps: what the start has done so far.
        processes: every process, by name.
        error: why the stack failed.
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
        """Say whether everything runs."""
        return self.phase is StackPhase.READY and all(
            process.state is ProcessState.RUNNING for process in self.processes.values()
        )


def write_status(layout: Layout, status: StackStatus) -> None:
    """Replace the state file in one step."""
    write_private(layout.state, json.dumps(asdict(status)))


def read_status(layout: Layout) -> StackStatus:
    """Return the state of the stack; what is not true any more (a process that is gone) is corrected."""
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
        error="The supervisor is gone. `make down` removes what it left, `make up` starts again.",
        processes={name: _corrected(process) for name, process in processes.items()},
    )


def _corrected(process: ProcessStatus) -> ProcessStatus:
    if process.identity is None or is_alive(process.identity):
        return process
    # The identity stays: what the process started may still be there.
    return replace(process, state=ProcessState.STOPPED)
