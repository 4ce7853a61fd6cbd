"""Knowing processes for certain: by id and start time, or by session, never by name."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

RUN_VARIABLE = "COINREQUEST_STACK_RUN"


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same id.

    Attributes:
        pid: the process id.
        created: when it started, seconds since the epoch.
    """

    pid: int
    created: float


def identify(pid: int) -> Identity:
    """Return the identity of a process; `created` is 0 if it has already ended."""
    try:
        return Identity(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return Identity(pid, 0.0)


def is_alive(identity: Identity) -> bool:
    """Say whether this very process still runs (a zombie does not)."""
    try:
        process = psutil.Process(identity.pid)
        same = abs(process.create_time() - identity.created) < 0.1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def session_members(session: int) -> list[int]:
    """Return the processes of a session, which is named by the id of the process that opened it."""
    members: list[int] = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == session:
                members.append(pid)
    return members


def marked(run: str) -> list[int]:
    """Return the processes whose environment carries the mark of one run of a stack."""
    found: list[int] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError, SystemError):
            if process.environ().get(RUN_VARIABLE) == run:
                found.append(process.pid)
    return found


def kill_session(session: int) -> None:
    """Kill every process of a session, also those in process groups of their own."""
    _kill(lambda: session_members(session))


def kill_marked(run: str, keep_session: int | None = None) -> None:
    """Kill every process that carries the mark of `run`, except the caller and the members of one session."""

    def find() -> list[int]:
        kept = [] if keep_session is None else session_members(keep_session)
        return [pid for pid in marked(run) if pid not in kept]

    _kill(find)


def signal_process(identity: Identity, number: int) -> bool:
    """Send a signal to this very process; say whether it was there."""
    if not is_alive(identity):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(identity.pid, number)
        return True
    return False


def wait_until_gone(identity: Identity, timeout: float) -> bool:
    """Wait at most `timeout` seconds for the end of a process; say whether it ended."""
    deadline = time.monotonic() + timeout
    while is_alive(identity):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _kill(find: Callable[[], list[int]], timeout: float = 5.0) -> None:
    # Again and again: a process may have started another one just before it was killed.
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        alive = [pid for pid in find() if pid != os.getpid() and _is_running(pid)]
        if not alive:
            return
        for pid in alive:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
