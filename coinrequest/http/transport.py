"""Sending requests over libcurl, one after another or many at once, with the guard where sockets are opened."""

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Any, Generic, TypeVar

from coinrequest.http.errors import RequestFailed
from coinrequest.http.guard import AddressGuard
from coinrequest.http.messages import Request, Response
from coinrequest.http.redirects import Step, Steps, follow_redirects

ValueT = TypeVar("ValueT")


def send(request: Request, guard: AddressGuard) -> Response:
    """Send a request, follow its redirects, and return the last answer, whatever its status.

    Args:
        request: what to send.
        guard: judges every address before a socket is opened to it.

    Raises:
        UrlRefused: the URL or the address behind it, of the first request or of a redirect, is not allowed.
        RequestFailed: no answer came in time, or at all.
    """
    return perform(follow_redirects(request), guard)


def perform(steps: Steps[ValueT], guard: AddressGuard) -> ValueT:
    """Make the exchanges that a generator asks for, one after the other, and return what it returns."""
    with contextlib.closing(perform_all([steps], 1, guard)) as results:
        return next(results)


def perform_all(flows: Iterable[Steps[ValueT]], concurrency: int, guard: AddressGuard) -> Generator[ValueT, None, None]:
    """Make the exchanges that many generators ask for, and yield what they return, as they end.

    Args:
        flows: the generators; one is taken when there is room for it.
        concurrency: how many are under way at the same time.
        guard: judges every address before a socket is opened to it.

    Raises:
        Exception: what one of them raises; it ends all of them.
    """
    waiting = iter(flows)
    running: _Running[ValueT] = _Running(guard)
    try:
        while True:
            # What can begin begins before results are handed out: the reader may take its time.
            while len(running) + len(running.ended) < concurrency and (steps := next(waiting, None)) is not None:
                running.begin(steps)
            if running.ended:
                yield running.ended.popleft()
            elif len(running):
                running.wait()
            else:
                return
    finally:
        running.close()


class _Running(Generic[ValueT]):
    """The generators that are under way, each with the exchange that it waits for."""

    def __init__(self, guard: AddressGuard) -> None:
        # They load libcurl, which who only imports this may never need.
        from coinrequest.http.exchange import Exchange
        from coinrequest.http.transfers import Transfers

        self._new_exchange = Exchange
        self._guard = guard
        self._transfers = Transfers()
        self._exchanges: dict[Any, tuple[Steps[ValueT], Exchange]] = {}
        self.ended: deque[ValueT] = deque()

    def __len__(self) -> int:
        return len(self._exchanges)

    def begin(self, steps: Steps[ValueT]) -> None:
        self._go_on(steps, partial(next, steps))

    def wait(self) -> None:
        """Wait until something happens, and let the generators that it concerns go on."""
        for curl, code, text in self._transfers.wait():
            steps, exchange = self._exchanges.pop(curl)
            self._transfers.remove(curl)
            try:
                resume = partial(steps.send, exchange.response(code, text))
            except RequestFailed as error:
                resume = partial(steps.throw, error)
            finally:
                exchange.close()
            self._go_on(steps, resume)

    def _go_on(self, steps: Steps[ValueT], resume: Callable[[], Step]) -> None:
        try:
            exchange = self._new_exchange(resume(), self._guard)
        except StopIteration as stop:
            self.ended.append(stop.value)
        else:
            self._exchanges[exchange.curl] = steps, exchange
            self._transfers.add(exchange.curl)

    def close(self) -> None:
        for curl, (_steps, exchange) in self._exchanges.items():
            self._transfers.remove(curl)
            exchange.close()
        self._transfers.close()
