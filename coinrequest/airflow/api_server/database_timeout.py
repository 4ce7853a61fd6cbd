"""Answers 503 while the database is unresponsive: it accepts connections and statements, but never answers.

A stopped server or a broken network raises no error, and no timeout of the driver notices it: requests would hang. So
when a request takes long, a separate connection checks whether the database answers at all. While it does, a request
may take any time: a large registration, `?wait=60`, a stream.

The middleware covers the whole web server, Airflow's own routes included. Every process imports this with the plugin,
so it imports little.
"""

import asyncio
import logging
import threading
from collections.abc import Callable

from coinrequest.airflow.api_server.asgi import Application, Message, Receive, Scope, Send, route_path
from coinrequest.single_flight import SingleFlight

log = logging.getLogger(__name__)

# Seconds. Both together are the longest that a client waits for a 503.
_CHECK_AFTER = 2.0
_CHECK_TIMEOUT = 1.5
_KEEP = 1.0
_ABANDONED = "coinrequest.abandoned"

_DETAIL = (
    "The database does not answer. Nothing was changed, unless it stopped answering during the commit: repeat the "
    "request, a submission with the same Idempotency-Key"
)
# Airflow's own routes commit by themselves.
_AIRFLOW_DETAIL = (
    "The database does not answer. The change may still be made once it answers again: check before you repeat the "
    "request"
)
_OURS = "/jobs/"
# Agents repeat their reports by themselves, and files need no database.
_EXEMPT = ("/execution/", "/static/")


def is_abandoned(scope: Scope) -> bool:
    """Return whether the request was answered with 503 already, so that its transaction must be rolled back."""
    flag = scope.get(_ABANDONED)
    return flag is not None and flag.is_set()


def _is_responsive() -> bool:
    from coinrequest.airflow.session import database_answers

    return database_answers()


class DatabaseTimeoutMiddleware:
    """ASGI middleware that stops waiting for an unresponsive database.

    An abandoned request continues in the background until the database answers or the connection breaks; a request to
    `/jobs` is then rolled back. Meanwhile new requests are refused at once, so they do not pile up.

    Args:
        app: the application that serves the requests.
        is_responsive: returns whether the database answers; called in a thread. An error counts as an answer, which
            the request itself handles.
    """

    def __init__(self, app: Application, is_responsive: Callable[[], bool] = _is_responsive) -> None:
        self._app = app
        self._check = SingleFlight(is_responsive, keep=_KEEP, name="database check")
        self._unresponsive = False
        self._abandoned: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        if scope["type"] != "http" or route_path(scope).startswith(_EXEMPT):
            await self._app(scope, receive, send)
        elif self._unresponsive and not await self._is_responsive():
            await _refuse(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        abandoned, started = threading.Event(), False
        scope[_ABANDONED] = abandoned

        async def observed(message: Message) -> None:
            nonlocal started
            if abandoned.is_set():
                return
            started = True
            await send(message)

        serving = asyncio.ensure_future(self._app(scope, receive, observed))
        try:
            while not (await asyncio.wait({serving}, timeout=None if started else _CHECK_AFTER))[0]:
                if not started and not await self._is_responsive() and not started and not serving.done():
                    abandoned.set()
                    break
        except BaseException:
            serving.cancel()
            raise
        if abandoned.is_set():
            self._abandoned.add(serving)
            serving.add_done_callback(self._forget)
            await _refuse(scope, receive, send)
        else:
            await serving

    def _forget(self, serving: asyncio.Task[None]) -> None:
        self._abandoned.discard(serving)
        if not serving.cancelled() and (error := serving.exception()) is not None:
            log.info("An abandoned request ended with %s", type(error).__name__)

    async def _is_responsive(self) -> bool:
        """Return whether the database answers, and log if that has changed."""
        try:
            check = asyncio.wrap_future(self._check.call())
            responsive = await asyncio.wait_for(asyncio.shield(check), _CHECK_TIMEOUT)
        except TimeoutError:
            responsive = False
        except Exception:
            responsive = True
        if responsive == self._unresponsive:
            self._unresponsive = not responsive
            if responsive:
                log.warning("The database answers again")
            else:
                log.error("The database does not answer; refusing requests until it does")
        return responsive


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    from starlette.requests import Request

    from coinrequest import problem_details

    detail = _DETAIL if route_path(scope).startswith(_OURS) else _AIRFLOW_DETAIL
    await problem_details.unavailable(Request(scope), detail)(scope, receive, send)
