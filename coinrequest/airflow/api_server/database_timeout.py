"""Answers 503 while the database is silent: it takes connections and statements, and says nothing.

A server that was stopped, or a network that lost its way, raises no error, and no time limit of the driver sees it: a
request would hang for as long. So whoever waits for long looks whether the database answers anybody at all, by a
connection of its own. While it does, a request takes as long as it takes: a large registration, `?wait=60`, a stream.

This stands around the whole web server, Airflow's own routes included. Every process imports it with the plugin, so it
imports next to nothing.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from coinrequest.airflow.api_server.paths import route_path
from coinrequest.single_flight import SingleFlight

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Seconds. Both together are the longest that anybody waits for a 503.
PATIENCE = 2.0
LOOK_LIMIT = 1.5
_KEEP = 1.0
_ABANDONED = "coinrequest.abandoned"

SILENT = (
    "The database does not answer. Nothing was changed, unless it fell silent while the change was being committed: "
    "repeat the request, a submission under the same Idempotency-Key"
)
# Airflow's own routes commit what they do themselves.
SILENT_AIRFLOW = (
    "The database does not answer. A change that was begun may still be made when it does: look before you repeat it"
)
_OURS = "/jobs/"
# Agents repeat their reports by themselves, and files need no database.
_UNCONCERNED = ("/execution/", "/static/")


def is_abandoned(scope: MutableMapping[str, Any]) -> bool:
    """Return whether the request was answered already; what it still does must not be committed."""
    flag = scope.get(_ABANDONED)
    return flag is not None and flag.is_set()


def _database_answers() -> bool:
    from coinrequest.airflow.session import database_answers

    return database_answers()


class DatabaseTimeoutMiddleware:
    """Middleware that gives up waiting for a silent database.

    A request that is given up goes on in the background until the database answers or the connection breaks; then it is
    rolled back, where it is one of ours. Those that come meanwhile are refused before they do anything, so that nothing
    piles up.

    Args:
        app: what serves the requests.
        answers: says in a thread whether the database answers; an error is an answer too, and the request's own matter.
    """

    def __init__(self, app: Application, answers: Callable[[], bool] = _database_answers) -> None:
        self._app = app
        self._look = SingleFlight(answers, keep=_KEEP, name="silence")
        self._silent = False
        self._abandoned: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        if scope["type"] != "http" or route_path(scope).startswith(_UNCONCERNED):
            await self._app(scope, receive, send)
        elif self._silent and not await self._answers():
            await _refuse(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        abandoned, started = threading.Event(), False
        scope[_ABANDONED] = abandoned

        async def observed(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if abandoned.is_set():
                return
            started = True
            await send(message)

        serving = asyncio.ensure_future(self._app(scope, receive, observed))
        try:
            while not (await asyncio.wait({serving}, timeout=None if started else PATIENCE))[0]:
                if not started and not await self._answers() and not started and not serving.done():
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
            log.info("A request that was given up ended with %s", type(error).__name__)

    async def _answers(self) -> bool:
        """Look whether the database answers, and say in the log when that changes."""
        try:
            looking = asyncio.wrap_future(self._look.call())
            answers = await asyncio.wait_for(asyncio.shield(looking), LOOK_LIMIT)
        except TimeoutError:
            answers = False
        except Exception:
            answers = True
        if answers == self._silent:
            self._silent = not answers
            if answers:
                log.warning("The database answers again")
            else:
                log.error("The database does not answer; requests are refused until it does")
        return answers


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    from starlette.requests import Request

    from coinrequest import problem_details

    detail = SILENT if route_path(scope).startswith(_OURS) else SILENT_AIRFLOW
    await problem_details.unavailable(Request(scope), detail)(scope, receive, send)
