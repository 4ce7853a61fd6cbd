"""Identifies processes reliably: by id and start time, or by session, never by name."""

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
    """The identity of a process, which a later process with the same id does not share.

    Attributes:
        pid: the process id.
        created: its start, in seconds since the epoch.
    """

    pid: int
    created: float


def identify(pid: int) -> Identity:
    """Return the identity of a process; `created` is 0 if it has ended."""
    try:
        return Identity(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return Identity(pid, 0.0)


def is_alive(identity: Identity) -> bool:
    """Return whether the process is still running; a zombie is not."""
    try:
        process = psutil.Process(identity.pid)
        same = abs(process.create_time() - identity.created) < 0.1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def session_members(session: int) -> list[int]:
    """Return the processes of a session; its id is that of the process that opened it."""
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
    """Kill all processes of a session, including those in process groups of their own."""
    _kill(lambda: session_members(session))


def kill_marked(run: str, keep_session: int | None = None) -> None:
    """Kill all processes with the mark of `run`, except the caller and the processes of `keep_session`."""

    def find() -> list[int]:
        kept = [] if keep_session is None else session_members(keep_session)
        return [pid for pid in marked(run) if pid not in kept]

    _kill(find)


def signal_process(identity: Identity, number: int) -> bool:
    """Send a signal to a process; return whether it was running."""
    if not is_alive(identity):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(identity.pid, number)
        return True
    return False


def wait_until_gone(identity: Identity, timeout: float) -> bool:
    """Wait up to `timeout` seconds for the end of a process; return whether it has ended."""
    deadline = time.monotonic() + timeout
    while is_alive(identity):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _kill(find: Callable[[], list[int]], timeout: float = 5.0) -> None:
    # Repeated, because a process may have started another one just before it was killed.
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
