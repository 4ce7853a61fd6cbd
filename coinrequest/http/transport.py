"""Sends requests over libcurl, one at a time or many at once, and has the guard check each address."""

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Any, Generic, TypeVar

from coinrequest.http.errors import RequestFailed
from coinrequest.http.guard import AddressGuard
from coinrequest.http.messages import Request, Response
from coinrequest.http.redirects import Step, Steps, follow_redirects

ValueT = TypeVar("ValueT")

log = logging.getLogger(__name__)


def send(request: Request, guard: AddressGuard) -> Response:
    """Send a request, follow its redirects and return the last response, whatever its status.

    Args:
        request: the request.
        guard: checks each address before a socket is opened.

    Raises:
        UrlRefused: the URL or its address is refused, for the first request or for a redirect.
        RequestFailed: there was no response in time.
    """
    return perform(follow_redirects(request), guard)


def perform(steps: Steps[ValueT], guard: AddressGuard) -> ValueT:
    """Perform the exchanges that a generator yields, one after the other, and return its result."""
    with contextlib.closing(perform_all([steps], 1, guard)) as results:
        return next(results)


def perform_all(flows: Iterable[Steps[ValueT]], concurrency: int, guard: AddressGuard) -> Generator[ValueT, None, None]:
    """Perform the exchanges of many generators at once, and yield their results as they finish.

    Args:
        flows: the generators; each is taken when there is room for it.
        concurrency: how many run at the same time.
        guard: checks each address before a socket is opened.

    Raises:
        Exception: an exception of one generator ends all of them. What goes wrong with an exchange is thrown into its
            generator as a `RequestFailed`.
    """
    waiting = iter(flows)
    running: _Running[ValueT] = _Running(guard)
    try:
        while True:
            # Start everything that there is room for before yielding: the consumer may be slow.
            while len(running) + len(running.finished) < concurrency and (steps := next(waiting, None)) is not None:
                running.start(steps)
            if running.finished:
                yield running.finished.popleft()
            elif len(running):
                running.wait()
            else:
                return
    finally:
        running.close()


class _Running(Generic[ValueT]):
    """The running generators, each with the exchange that it waits for."""

    def __init__(self, guard: AddressGuard) -> None:
        # These load libcurl, which a process that sends no request never needs.
        from coinrequest.http.exchange import Exchange
        from coinrequest.http.transfers import Transfers

        self._new_exchange = Exchange
        self._guard = guard
        self._transfers = Transfers()
        self._exchanges: dict[Any, tuple[Steps[ValueT], Exchange]] = {}
        self.finished: deque[ValueT] = deque()

    def __len__(self) -> int:
        return len(self._exchanges)

    def start(self, steps: Steps[ValueT]) -> None:
        self._resume(steps, partial(next, steps))

    def wait(self) -> None:
        """Wait for exchanges to finish, and resume their generators."""
        for curl, code, text in self._transfers.wait():
            steps, exchange = self._exchanges.pop(curl)
            self._transfers.remove(curl)
            try:
                resume = partial(steps.send, exchange.response(code, text))
            except RequestFailed as error:
                resume = partial(steps.throw, error)
            except Exception as error:  # one odd response must not end the others
                resume = partial(steps.throw, _unexpected(error))
            finally:
                exchange.close()
            self._resume(steps, resume)

    def _resume(self, steps: Steps[ValueT], resume: Callable[[], Step]) -> None:
        while True:
            try:
                step = resume()
            except StopIteration as stop:
                self.finished.append(stop.value)
                return
            try:
                exchange = self._new_exchange(step, self._guard)
            except Exception as error:  # libcurl refuses an option
                resume = partial(steps.throw, _unexpected(error))
            else:
                self._exchanges[exchange.curl] = steps, exchange
                self._transfers.add(exchange.curl)
                return

    def close(self) -> None:
        for curl, (_steps, exchange) in self._exchanges.items():
            self._transfers.remove(curl)
            exchange.close()
        self._transfers.close()


def _unexpected(error: Exception) -> RequestFailed:
    log.warning("A request failed unexpectedly", exc_info=error)
    failure = RequestFailed(f"the request failed: {error!r}; please report this with the URL")
    failure.__cause__ = error
    return failure
