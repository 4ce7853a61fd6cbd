"""A short-lived cache in which concurrent callers share one request (single flight)."""

import copy
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

ResponseT = TypeVar("ResponseT")

# A request ends at its deadline with an error that says more than a time-out, so a caller waits a little longer.
GRACE_SECONDS = 0.25


class ResponseCache(Generic[ResponseT]):
    """Caches responses, but no errors. Threads may share a cache.

    Args:
        seconds: how long a response is kept.
        clock: returns monotonic seconds, such as `time.monotonic`.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._responses: dict[Hashable, tuple[float, ResponseT]] = {}
        self._flights: dict[Hashable, _Flight[ResponseT]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, send: Callable[[], ResponseT], deadline: float) -> ResponseT:
        """Return the cached response, or the response of a request in progress, or send a request.

        `send` runs in a separate thread, so that a caller returns at the deadline even if the network hangs.

        Args:
            key: identifies the request.
            send: returns the response or raises; it should end by the deadline.
            deadline: a time of the clock.

        Raises:
            TimeoutError: there is no response at the deadline.
            Exception: the exception of `send`; each caller gets its own copy.
        """
        while True:
            with self._lock:
                expires_at, response = self._responses.get(key, (0.0, None))
                if response is not None and self._clock() < expires_at:
                    return response
                flight = self._flights.get(key)
                joined = flight is not None and not flight.is_overdue(self._clock())
                if flight is None or not joined:
                    flight = self._flights[key] = _Flight(deadline)
            if not joined:
                self._start(key, flight, send)
            if not flight.landed.wait(max(0.0, deadline - self._clock()) + GRACE_SECONDS):
                raise TimeoutError
            if flight.error is None and flight.response is not None:
                return flight.response
            was_shorter = joined and flight.deadline < deadline and flight.deadline <= self._clock()
            if not was_shorter and flight.error is not None:
                raise copy.copy(flight.error) from flight.error.__cause__

    def clear(self) -> None:
        """Drop all responses."""
        with self._lock:
            self._responses.clear()

    def _start(self, key: Hashable, flight: "_Flight[ResponseT]", send: Callable[[], ResponseT]) -> None:
        arguments = (key, flight, send)
        try:
            threading.Thread(target=self._run, args=arguments, name="coinrequest-price", daemon=True).start()
        except RuntimeError:  # no thread can be started, for example while the interpreter shuts down
            self._run(*arguments)

    def _run(self, key: Hashable, flight: "_Flight[ResponseT]", send: Callable[[], ResponseT]) -> None:
        try:
            flight.response = send()
        except BaseException as error:
            flight.error = error
        with self._lock:
            now = self._clock()
            self._responses = {known: entry for known, entry in self._responses.items() if entry[0] > now}
            if flight.response is not None:
                self._responses[key] = (now + self._seconds, flight.response)
            if self._flights.get(key) is flight:
                del self._flights[key]
        flight.landed.set()


class _Flight(Generic[ResponseT]):
    """A request in progress, shared by all callers that wait for it."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.landed = threading.Event()
        self.response: ResponseT | None = None
        self.error: BaseException | None = None

    def is_overdue(self, now: float) -> bool:
        return now > self.deadline + GRACE_SECONDS
