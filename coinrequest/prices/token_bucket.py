"""A token bucket, which limits the average rate and the size of bursts."""

import threading
from collections.abc import Callable


class TokenBucket:
    """A bucket that is full at first and refills over time. Threads may share it.

    https://en.wikipedia.org/wiki/Token_bucket

    Args:
        per_second: the tokens that are added each second; above zero.
        burst: the capacity of the bucket.
        clock: returns monotonic seconds, such as `time.monotonic`.
    """

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._refilled_at = clock()
        self._paused_until = self._refilled_at
        self._lock = threading.Lock()

    def reserve(self, longest: float) -> float:
        """Take a token, or reserve one that will be added later.

        Args:
            longest: the longest wait in seconds.

        Returns:
            The seconds until the token is available. If they exceed `longest`, no token was taken.
        """
        with self._lock:
            now = self._refill()
            wait = max(0.0, (1 - self._tokens) / self._per_second, self._paused_until - now)
            if wait <= longest:
                self._tokens -= 1
            return wait

    def take(self) -> bool:
        """Take a token if one is available; return whether it was."""
        return self.reserve(0) == 0

    def add(self, tokens: float) -> None:
        """Add tokens, up to the capacity."""
        with self._lock:
            self._refill()
            self._tokens = min(self._burst, self._tokens + tokens)

    def pause(self, seconds: float) -> None:
        """Give out no token for a number of seconds from now."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _refill(self) -> float:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled_at) * self._per_second)
        self._refilled_at = now
        return now
