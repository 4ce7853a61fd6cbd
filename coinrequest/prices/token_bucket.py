"""A token bucket: so many at once, and so many in a second after that."""

import threading
from collections.abc import Callable


class TokenBucket:
    """Tokens that come back with time; full at first. Threads may share it.

    https://en.wikipedia.org/wiki/Token_bucket

    Args:
        per_second: tokens that come back in a second, above zero.
        burst: tokens that it holds at most.
        clock: seconds that only grow, such as `time.monotonic`.
    """

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._counted_at = clock()
        self._closed_until = self._counted_at
        self._lock = threading.Lock()

    def reserve(self, longest: float) -> float:
        """Take a token, if need be one that is still to come.

        Args:
            longest: seconds that the caller can wait.

        Returns:
            Seconds until the token is there. If they are more than `longest`, none was taken.
        """
        with self._lock:
            now = self._count()
            wait = max(0.0, (1 - self._tokens) / self._per_second, self._closed_until - now)
            if wait <= longest:
                self._tokens -= 1
            return wait

    def take(self) -> bool:
        """Take a token that is there; return whether one was."""
        return self.reserve(0) == 0

    def add(self, tokens: float) -> None:
        """Put tokens in, as many as there is room for."""
        with self._lock:
            self._count()
            self._tokens = min(self._burst, self._tokens + tokens)

    def close(self, seconds: float) -> None:
        """Give no token for so many seconds from now."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def _count(self) -> float:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._per_second)
        self._counted_at = now
        return now
