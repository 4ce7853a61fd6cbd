"""Answers 422 where a time cannot be converted to UTC: 9999-12-31 west of it, or 0001-01-01 east of it (Airflow 3.3.2).

Airflow converts the times of a request before anything of ours sees them, and does not expect that this fails.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coinrequest import problem_details
from coinrequest.times import EARLIEST, LONGEST_AHEAD


class TimeOverflowMiddleware:
    """Middleware that answers in the place of an application that failed so; stands inside of what bounds a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        body, started = bytearray(), False
        # Parts of the web server answer 500 by themselves, whether they hand the error on or not.
        held: list[Message] = []

        async def observed_receive() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def observed_send(message: Message) -> None:
            nonlocal started
            if held or message.get("status") == 500:
                held.append(message)
            else:
                started = True
                await send(message)

        error: Exception | None = None
        try:
            await self._app(scope, observed_receive, observed_send)
        except Exception as raised:
            error = raised
        if (error or held) and not started:
            query = dict(QueryParams(scope.get("query_string", b"")))
            names = sorted({*_overflowing(query), *_overflowing(_read(body))})
            if names:
                latest = datetime.now(UTC) + LONGEST_AHEAD
                detail = f"{', '.join(names)} must be between {EARLIEST:%Y-%m-%d} and {latest:%Y-%m-%d}, in UTC"
                await problem_details.response(Request(scope), 422, detail)(scope, receive, send)
                return
        for message in held:
            await send(message)
        if error:
            raise error


def _read(body: bytearray) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _overflowing(values: Any) -> Iterator[str]:
    """Return the names of the times that UTC does not have; they stand at the top of what Airflow takes."""
    for name, value in values.items() if isinstance(values, Mapping) else ():
        try:
            datetime.fromisoformat(value).astimezone(UTC)
        except OverflowError:
            yield name
        except (TypeError, ValueError):
            continue
