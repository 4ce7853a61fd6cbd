"""The HTTP client for price sources, shared by all threads of a process.

It protects the caller with connect and read time-outs within one deadline, and with retries after temporary failures.
It protects the sources with a rate limit and a retry budget for each host, `Retry-After`, a cache of responses, and
a single request for all callers that send the same request at the same time.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coinrequest.backoff import Backoff
from coinrequest.prices.errors import PriceUnavailable, RateLimited
from coinrequest.prices.http_exchange import RetryableError, SourceRequest, SourceResponse, new_session, send
from coinrequest.prices.rate_limits import RETRY_SHARE, HostLimits
from coinrequest.prices.response_cache import ResponseCache

if TYPE_CHECKING:
    import requests

__all__ = ["TIMEOUT_SECONDS", "PriceClient", "SourceResponse", "clear_cache", "fetch"]

TIMEOUT_SECONDS = 10.0
CACHE_SECONDS = 1.0
ATTEMPTS = 3
BACKOFF = Backoff(first=0.25, longest=2.0, jitter=1.0)


class PriceClient:
    """Fetches JSON documents. Threads may share a client; a forked process needs a new one.

    Args:
        cache_seconds: how long a response is reused for the same request.
        clock: returns monotonic seconds.
        sleep: waits for a number of seconds.
        delay: returns the seconds before the next attempt, given the number of failed ones.
    """

    def __init__(
        self,
        cache_seconds: float = CACHE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        delay: Callable[[int], float] = BACKOFF.delay,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._delay = delay
        self._cache: ResponseCache[SourceResponse] = ResponseCache(cache_seconds, clock)
        self._hosts: dict[tuple[str, str], HostLimits] = {}
        self._session: requests.Session | None = None
        self._lock = threading.Lock()

    def fetch(
        self, source: str, url: str, params: Mapping[str, str], timeout: float = TIMEOUT_SECONDS
    ) -> SourceResponse:
        """GET a JSON document; see `fetch` of this module."""
        self._open_session()  # loads requests the first time, which must not count against the deadline
        deadline = self._clock() + timeout
        request = SourceRequest(source, url, tuple(params.items()))
        try:
            return self._cache.get(request, lambda: self._send(request, deadline, timeout), deadline)
        except TimeoutError as error:
            raise PriceUnavailable(source, f"no complete response within {timeout:g} seconds") from error

    def clear_cache(self) -> None:
        """Drop the cached responses."""
        self._cache.clear()

    def _send(self, request: SourceRequest, deadline: float, timeout: float) -> SourceResponse:
        limits = self._limits(request)
        self._wait_for_rate_limit(limits, request, deadline)
        limits.retries.add(RETRY_SHARE)
        attempts = 0
        while True:
            attempts += 1
            try:
                return self._send_once(limits, request, deadline, timeout)
            except RetryableError as failure:
                if not self._wait_before_retry(limits, failure, attempts, deadline):
                    raise failure.as_error(request.source, attempts) from failure.__cause__

    def _send_once(self, limits: HostLimits, request: SourceRequest, deadline: float, timeout: float) -> SourceResponse:
        if not limits.connections.acquire(timeout=max(0.0, deadline - self._clock())):
            raise RetryableError(f"no connection was free within {timeout:g} seconds")
        try:
            return send(self._open_session(), request, deadline, timeout, self._clock)
        finally:
            limits.connections.release()

    def _wait_for_rate_limit(self, limits: HostLimits, request: SourceRequest, deadline: float) -> None:
        remaining = deadline - self._clock()
        wait = limits.requests.reserve(remaining)
        if wait > remaining:
            text = f"its rate limit is reached; the next request is allowed in {wait:.1f} seconds"
            raise RateLimited(request.source, text, wait)
        if wait > 0:
            self._sleep(wait)

    def _wait_before_retry(self, limits: HostLimits, failure: RetryableError, attempts: int, deadline: float) -> bool:
        """Return whether to try again, after the wait; False if no retry is left or it would be too late."""
        retry_after = failure.retry_after or 0.0
        if failure.status == 429:
            limits.requests.pause(retry_after)  # applies to all callers
        delay = retry_after + self._delay(attempts)
        remaining = deadline - self._clock()
        if attempts == ATTEMPTS or delay >= remaining or not limits.retries.take():
            return False
        wait = limits.requests.reserve(remaining)
        if wait > remaining:
            return False
        self._sleep(max(delay, wait))
        return True

    def _limits(self, request: SourceRequest) -> HostLimits:
        try:
            address = urlsplit(request.url)
            hostname = address.hostname or ""
        except ValueError as error:
            raise PriceUnavailable(request.source, "its address is not a valid URL") from error
        with self._lock:
            return self._hosts.setdefault((address.scheme, address.netloc), HostLimits(hostname, self._clock))

    def _open_session(self) -> "requests.Session":
        with self._lock:
            if self._session is None:
                self._session = new_session()
            return self._session


_shared = PriceClient()


def fetch(source: str, url: str, params: Mapping[str, str], timeout: float = TIMEOUT_SECONDS) -> SourceResponse:
    """GET a JSON document with the shared client of this process.

    Args:
        source: the name of the source, for errors.
        url: the URL of the document.
        params: query parameters.
        timeout: seconds for everything: rate limit, connection, retries and the complete response.

    Returns:
        The response, which may be up to a second old; see `received_at`.

    Raises:
        RateLimited: the source responded with 429, or the wait for the rate limit would exceed the time-out.
        BadResponse: the response is not JSON, longer than 1 MiB, or a redirect.
        PriceUnavailable: there is no response in time, no connection, or a 5xx.
    """
    return _shared.fetch(source, url, params, timeout)


def clear_cache() -> None:
    """Drop the cached responses of the shared client."""
    _shared.clear_cache()


def _replace_shared() -> None:
    global _shared
    _shared = PriceClient()


# A forked child must not use the connections, locks and threads of its parent.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_shared)
