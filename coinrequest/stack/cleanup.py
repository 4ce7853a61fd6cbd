"""Cleans up after a supervisor that was killed."""

import signal

import psutil

from coinrequest.stack.layout import Layout
from coinrequest.stack.processes import (
    Identity,
    identify,
    is_alive,
    kill_marked,
    kill_session,
    signal_process,
    wait_until_gone,
)
from coinrequest.stack.state import StackStatus


def stop_orphans(layout: Layout, status: StackStatus) -> int:
    """Stop the processes of an earlier start; return how many of the recorded ones were still running.

    Processes are identified by their recorded id and start time, by the session that each of them opened, and by a mark
    in their environment, which Celery and others overwrite with a title; never by name. PostgreSQL gets a signal to
    stop, and the others are killed.
    """
    recorded = [process.identity for process in status.processes.values() if process.identity]
    alive = [identity for identity in recorded if is_alive(identity)]
    postgres = _postgres(layout)
    for identity in recorded:
        # If the process is gone, its children may still run: the system does not reuse the id of a session that has
        # members. If the id belongs to another process by now, the session has none.
        ours = identity in alive or not psutil.pid_exists(identity.pid)
        if ours and (postgres is None or identity.pid != postgres.pid):
            kill_session(identity.pid)
    if status.run:
        kill_marked(status.run, keep_session=None if postgres is None else postgres.pid)
    if postgres is not None:
        signal_process(postgres, signal.SIGINT)
        if not wait_until_gone(postgres, 20.0):
            kill_session(postgres.pid)
    return len(alive)


def _postgres(layout: Layout) -> Identity | None:
    """Return the server that uses the data directory, according to its lock file there; None if none runs."""
    try:
        lines = (layout.postgres / "postmaster.pid").read_text().splitlines()
        # Lines: process id, data directory, start time in seconds since the epoch, ...
        pid, started = int(lines[0]), int(lines[2])
    except (OSError, ValueError, IndexError):
        return None
    identity = identify(pid)
    # The id may belong to another process by now. The server writes its file within seconds of its start.
    return identity if is_alive(identity) and abs(identity.created - started) < 10 else None
