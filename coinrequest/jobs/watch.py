"""Waiting for jobs to be done, for any number of callers at once.

All who wait in one process share one small read at a time; nobody holds a thread or a database connection
while waiting.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from uuid import UUID
from weakref import WeakKeyDictionary

log = logging.getLogger(__name__)

# Most jobs are done within a second or two: look often for the newest caller, and less often the longer all wait.
_SHORTEST, _LONGEST, _SHARE = 0.05, 0.5, 0.05


def interval(waited: float) -> float:
    """Return the seconds until the next look, when the newest caller has waited `waited` seconds."""
    return min(max(waited * _SHARE, _SHORTEST), _LONGEST)


class Watch:
    """Tells callers when their jobs are done.

    Args:
        finished: returns which of some jobs are done; called in a thread.
    """

    def __init__(self, finished: Callable[[Collection[UUID]], set[UUID]]) -> None:
        self._finished = finished
        self._waiting: dict[UUID, set[asyncio.Future[None]]] = {}
        self._newest = 0.0
        self._task: asyncio.Task[None] | None = None

    async def wait(self, job_id: UUID, seconds: float) -> bool:
        """Return whether the job was done within `seconds`, as soon as that is known."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job_id, set()).add(future)
        self._newest = time.monotonic()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return False
        finally:
            futures = self._waiting.get(job_id, set())
            futures.discard(future)
            if not futures:
                self._waiting.pop(job_id, None)
        return True

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(interval(time.monotonic() - self._newest))
            try:
                done = await asyncio.to_thread(self._finished, tuple(self._waiting))
            except Exception:
                # The callers have a time limit of their own, and the database may be back before it.
                log.exception("Cannot look for finished jobs")
                await asyncio.sleep(_LONGEST)
                continue
            for job_id in done:
                for future in self._waiting.pop(job_id, set()):
                    if not future.done():
                        future.set_result(None)


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


def shared_watch(finished: Callable[[Collection[UUID]], set[UUID]]) -> Watch:
    """Return the watch of the running event loop, made with `finished` when there is none yet."""
    return _watches.setdefault(asyncio.get_running_loop(), Watch(finished))
