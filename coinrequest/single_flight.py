"""A look at something slow that all callers in one process share."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedLook(Generic[T]):
    """Looks in a thread of its own, once at a time, and keeps what it saw (or why it could not) for a while.

    Args:
        look: what takes long.
        keep: for how many seconds an answer is given again.
        name: of the thread.
    """

    def __init__(self, look: Callable[[], T], *, keep: float, name: str) -> None:
        self._look = look
        self._keep = keep
        # A look that hangs must not take the threads that serve requests.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._answer: Future[T] | None = None
        self._ended = 0.0
        self._seen: T | None = None

    def answer(self) -> Future[T]:
        """Return the answer: the last one while it is fresh, one that is under way, or that of a new look."""
        with self._lock:
            fresh = self._answer is not None and (
                not self._answer.done() or time.monotonic() - self._ended < self._keep
            )
            if self._answer is None or not fresh:
                self._answer = self._thread.submit(self._timed)
            return self._answer

    def last(self) -> T | None:
        """Return what was seen last, however long ago; None: nothing yet."""
        return self._seen

    def _timed(self) -> T:
        try:
            self._seen = self._look()
            return self._seen
        finally:
            self._ended = time.monotonic()
