"""Following jobs, for any number of listeners at once.

All who listen in one process share one small read at a time; nobody holds a thread or a database connection.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlalchemy.orm import Session

from coinrequest.airflow import runs
from coinrequest.database.tables import job as table
from coinrequest.jobs.event_cursor import Snapshot
from coinrequest.jobs.watch import interval

log = logging.getLogger(__name__)

_AFTER_A_FAILURE = 1.0

Read = Callable[[Collection[UUID]], Mapping[UUID, Snapshot]]


def snapshots(session: Session, job_ids: Collection[UUID]) -> dict[UUID, Snapshot]:
    """Return how these jobs are now, with two indexed reads; a job that is unknown is left out."""
    states = session.execute(select(table.c.id, table.c.state).where(table.c.id.in_(job_ids))).all()
    tasks = runs.task_states(session, [row.id for row in states])
    return {row.id: Snapshot(row.state, tuple(tasks.get(row.id, ()))) for row in states}


@dataclass(eq=False)
class _Listener:
    """One who follows a job: the newest snapshot, and whether it was not looked at yet."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    snapshot: Snapshot | None = None


class Feed:
    """Tells listeners how their jobs change.

    Args:
        read: returns how some jobs are now, leaving out those that are unknown; called in a thread.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._listeners: dict[UUID, set[_Listener]] = {}
        self._newest = 0.0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def follow(self, job_id: UUID, seconds: float) -> AsyncGenerator[Snapshot, None]:
        """Yield how a job is, now and after each change, for so many seconds or until the job is unknown.

        A listener that is slow is told the newest state only.
        """
        until = time.monotonic() + seconds
        listener = _Listener()
        self._listeners.setdefault(job_id, set()).add(listener)
        self._newest = time.monotonic()
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            while await _within(until - time.monotonic(), listener.changed):
                if listener.snapshot is None:
                    return
                yield listener.snapshot
        finally:
            listeners = self._listeners.get(job_id, set())
            listeners.discard(listener)
            if not listeners:
                self._listeners.pop(job_id, None)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return sum(map(len, self._listeners.values()))

    async def _look(self) -> None:
        while self._listeners:
            asked = tuple(self._listeners)
            try:
                found = await asyncio.to_thread(self._read, asked)
            except Exception:
                # The listeners have a time limit of their own, and the database may be back before it.
                log.exception("Cannot look for changes of jobs")
                await asyncio.sleep(_AFTER_A_FAILURE)
                continue
            for job_id in asked:
                snapshot = found.get(job_id)
                for listener in self._listeners.get(job_id, ()):
                    if snapshot is None or snapshot != listener.snapshot:
                        listener.snapshot = snapshot
                        listener.changed.set()
            await _within(interval(time.monotonic() - self._newest), self._wake)


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for an event for at most so many seconds, and take it back; return whether it came."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
        event.clear()
        return True
    return False


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, Feed] = WeakKeyDictionary()


def shared_feed(read: Read) -> Feed:
    """Return the feed of the running event loop, made with `read` when there is none yet."""
    return _feeds.setdefault(asyncio.get_running_loop(), Feed(read))
