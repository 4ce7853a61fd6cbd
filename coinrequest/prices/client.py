"""The one way to ask price sources: a client that all threads of a process share.

It protects whoever asks: connect and read time-outs within one deadline, and further attempts after a failure that
may pass. And it protects who is asked: a rate limit and a budget of retries for each host, `Retry-After`, a short
memory of answers, and one request for all who ask the same at the same time.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coinrequest.backoff import Backoff
from coinrequest.prices.errors import PriceUnavailable, RateLimited
from coinrequest.prices.http_exchange import RetryableError, SourceRequest, SourceResponse, ask, new_session
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
    """Asks for JSON documents. Threads may share it; a process that was forked needs one of its own.

    Args:
        cache_seconds: how long an answer is given again to whoever asks the same.
        clock: seconds that only grow.
        sleep: waits for so many seconds.
        delay: seconds before the next attempt, by the number of those that failed.
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
        self._open_session()  # the first one loads the library, which is not the source's fault
        deadline = self._clock() + timeout
        question = SourceRequest(source, url, tuple(params.items()))
        try:
            return self._cache.get(question, lambda: self._ask(question, deadline, timeout), deadline)
        except TimeoutError as error:
            raise PriceUnavailable(source, f"no whole answer within {timeout:g} seconds") from error

    def forget(self) -> None:
        """Drop the answers that are kept, so that the next caller asks the source."""
        self._cache.forget()

    def _ask(self, question: SourceRequest, deadline: float, timeout: float) -> SourceResponse:
        host = self._host(question)
        self._wait_for_turn(host, question, deadline)
        host.retries.add(RETRY_SHARE)
        attempts = 0
        while True:
            attempts += 1
            try:
                return self._ask_once(host, question, deadline, timeout)
            except RetryableError as failure:
                if not self._waited_to_ask_again(host, failure, attempts, deadline):
                    raise failure.as_error(question.source, attempts) from failure.__cause__

    def _ask_once(self, host: HostLimits, question: SourceRequest, deadline: float, timeout: float) -> SourceResponse:
        if not host.connections.acquire(timeout=max(0.0, deadline - self._clock())):
            raise RetryableError(f"the answers to other requests were not there after {timeout:g} seconds")
        try:
            return ask(self._open_session(), question, deadline, timeout, self._clock)
        finally:
            host.connections.release()

    def _wait_for_turn(self, host: HostLimits, question: SourceRequest, deadline: float) -> None:
        remaining = deadline - self._clock()
        wait = host.turns.reserve(remaining)
        if wait > remaining:
            text = f"it was asked as often as it allows, and may be asked again in {wait:.1f} seconds"
            raise RateLimited(question.source, text, wait)
        if wait > 0:
            self._sleep(wait)

    def _waited_to_ask_again(self, host: HostLimits, failure: RetryableError, attempts: int, deadline: float) -> bool:
        """Wait until the next attempt, if there may be one and it would be in time; return whether."""
        patience = failure.retry_after or 0.0
        if failure.status == 429:
            host.turns.close(patience)  # what it says to one caller holds for all
        delay = patience + self._delay(attempts)
        remaining = deadline - self._clock()
        if attempts == ATTEMPTS or delay >= remaining or not host.retries.take():
            return False
        turn = host.turns.reserve(remaining)
        if turn > remaining:
            return False
        self._sleep(max(delay, turn))
        return True

    def _host(self, question: SourceRequest) -> HostLimits:
        try:
            address = urlsplit(question.url)
            hostname = address.hostname or ""
        except ValueError as error:
            raise PriceUnavailable(question.source, "its address is not a URL that can be asked") from error
        with self._lock:
            return self._hosts.setdefault((address.scheme, address.netloc), HostLimits(hostname, self._clock))

    def _open_session(self) -> "requests.Session":
        with self._lock:
            if self._session is None:
                self._session = new_session()
            return self._session


_shared = PriceClient()


def fetch(source: str, url: str, params: Mapping[str, str], timeout: float = TIMEOUT_SECONDS) -> SourceResponse:
    """GET a JSON document with the client that this process shares.

    Args:
        source: name of the source, for errors.
        url: where it is.
        params: query parameters.
        timeout: seconds for everything: waiting for a turn, connecting, further attempts, and the whole answer.

    Returns:
        The answer, which may be up to a second old: `received_at` says when it came.

    Raises:
        RateLimited: the source answered 429, or was asked too often; at once if waiting would take too long.
        BadResponse: the answer is not JSON, or longer than 1 MiB, or a redirect to somewhere else.
        PriceUnavailable: no answer in time, no connection, or a 5xx.
    """
    return _shared.fetch(source, url, params, timeout)


def clear_cache() -> None:
    """Drop the answers that the shared client keeps, for whoever must not get one of a second ago."""
    _shared.forget()


def _replace_shared() -> None:
    global _shared
    _shared = PriceClient()


# Connections, locks and threads of the parent are of no use to the child, and would do harm.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_shared)
