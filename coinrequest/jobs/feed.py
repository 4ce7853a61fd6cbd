"""Following jobs and waiting for their end, for any number of listeners at once.

All listeners of a feed share one small, repeated read. None of them holds a thread or a database connection. An event
loop has a feed for those who follow jobs, and one for those who wait: the latter is read more often, and without tasks.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlalchemy.orm import Session

from coinrequest.airflow import runs
from coinrequest.airflow.session import airflow_session
from coinrequest.database.tables import job as table
from coinrequest.jobs.event_cursor import Snapshot
from coinrequest.jobs.job import DONE

log = logging.getLogger(__name__)

# Seconds between two reads. Most jobs end within a second or two, so the newest listener is served often, and less
# often the longer it has listened.
_SHORTEST, _LONGEST, _SHARE = 0.05, 0.5, 0.05

Read = Callable[[Collection[UUID]], Mapping[UUID, Snapshot]]


def interval(listened: float) -> float:
    """Return the seconds until the next read, when the newest listener has listened for `listened` seconds."""
    return min(max(listened * _SHARE, _SHORTEST), _LONGEST)


def snapshots(session: Session, job_ids: Collection[UUID], *, with_tasks: bool) -> dict[UUID, Snapshot]:
    """Return the current state of jobs by one indexed read, and their tasks by another.

    Args:
        job_ids: the jobs; one that is unknown is left out.
        with_tasks: whether the tasks are read.
    """
    states = session.execute(select(table.c.id, table.c.state).where(table.c.id.in_(job_ids))).all()
    tasks = runs.task_states(session, [row.id for row in states]) if with_tasks else {}
    return {row.id: Snapshot(row.state, tuple(tasks.get(row.id, ()))) for row in states}


@dataclass(eq=False)
class _Listener:
    """A listener of one job, with the last snapshot and whether it has yet to be seen."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    snapshot: Snapshot | None = None


class Feed:
    """Reports changes of jobs to their listeners.

    Args:
        read: returns the snapshots of jobs, as `snapshots` does; called in a thread.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._listeners: dict[UUID, set[_Listener]] = {}
        self._newest = 0.0
        self._next_read = math.inf
        self._rescheduled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def follow(self, job_id: UUID, seconds: float) -> AsyncGenerator[Snapshot, None]:
        """Yield snapshots of a job, now and after each change, until the time is up or the job is unknown.

        A slow listener gets the newest snapshot only.
        """
        return self._listen(job_id, seconds, first_read=0.0)

    async def wait(self, job_id: UUID, seconds: float) -> bool:
        """Return whether a job ends within so many seconds, as soon as that is known.

        The caller has just read the job, so the first read can wait.
        """
        async with aclosing(self._listen(job_id, seconds, first_read=_SHORTEST)) as changes:
            async for snapshot in changes:
                if snapshot.state in DONE:
                    return True
        return False

    @property
    def listeners(self) -> int:
        """The number of listeners."""
        return sum(map(len, self._listeners.values()))

    async def _listen(self, job_id: UUID, seconds: float, *, first_read: float) -> AsyncGenerator[Snapshot, None]:
        self._newest = time.monotonic()
        until = self._newest + seconds
        listener = _Listener()
        self._listeners.setdefault(job_id, set()).add(listener)
        self._next_read = min(self._next_read, self._newest + first_read)
        self._rescheduled.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
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

    async def _poll(self) -> None:
        while True:
            if await _within(self._next_read - time.monotonic(), self._rescheduled):
                continue
            self._next_read = math.inf
            asked = tuple(self._listeners)
            if not asked:
                return
            try:
                found = await asyncio.to_thread(self._read, asked)
            except Exception:
                # Listeners have their own time limits, and the database may be back before they are reached.
                log.exception("Cannot read the states of jobs")
                pause = _LONGEST
            else:
                self._publish(asked, found)
                pause = interval(time.monotonic() - self._newest)
            # A listener that came during the read may have asked for an earlier one.
            self._next_read = min(self._next_read, time.monotonic() + pause)

    def _publish(self, asked: Collection[UUID], found: Mapping[UUID, Snapshot]) -> None:
        for job_id in asked:
            snapshot = found.get(job_id)
            for listener in self._listeners.get(job_id, ()):
                if snapshot is None or snapshot != listener.snapshot:
                    listener.snapshot = snapshot
                    listener.changed.set()


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for an event for at most so many seconds, and clear it; return whether it was set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
        event.clear()
        return True
    return False


_Feeds = WeakKeyDictionary[asyncio.AbstractEventLoop, Feed]
_followed: _Feeds = WeakKeyDictionary()
_awaited: _Feeds = WeakKeyDictionary()


def followed_jobs() -> Feed:
    """Return the running event loop's feed of jobs with their tasks, to follow them."""
    return _followed.setdefault(asyncio.get_running_loop(), Feed(partial(_read_snapshots, with_tasks=True)))


def awaited_jobs() -> Feed:
    """Return the running event loop's feed of jobs without their tasks, to wait for their end."""
    return _awaited.setdefault(asyncio.get_running_loop(), Feed(partial(_read_snapshots, with_tasks=False)))


def _read_snapshots(job_ids: Collection[UUID], *, with_tasks: bool) -> Mapping[UUID, Snapshot]:
    with airflow_session() as session:
        return snapshots(session, job_ids, with_tasks=with_tasks)
