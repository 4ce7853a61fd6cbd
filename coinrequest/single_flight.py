"""Sharing one slow call among all callers in a process."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Calls a slow function in a thread of its own, one call at a time, and shares its result or its error.

    Args:
        function: the slow function.
        keep: for how many seconds a result is reused.
        name: of the thread.
    """

    def __init__(self, function: Callable[[], T], *, keep: float, name: str) -> None:
        self._function = function
        self._keep = keep
        # A call that hangs must not block the threads that serve requests.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._future: Future[T] | None = None
        self._ended = 0.0
        self._last: T | None = None

    def call(self) -> Future[T]:
        """Return the future of the call in progress, of the last call while its result is fresh, or of a new call."""
        with self._lock:
            fresh = self._future is not None and (
                not self._future.done() or time.monotonic() - self._ended < self._keep
            )
            if self._future is None or not fresh:
                self._future = self._thread.submit(self._run)
            return self._future

    def last(self) -> T | None:
        """Return the last result, however old; None: there is none yet."""
        return self._last

    def _run(self) -> T:
        try:
            self._last = self._function()
            return self._last
        finally:
            self._ended = time.monotonic()
