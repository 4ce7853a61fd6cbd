"""Answers 422 where a value that cannot be stored makes Airflow answer 500 (Airflow 3.3.2).

Airflow converts the times of a request before it validates them, which fails for 9999-12-31 west of UTC and for
0001-01-01 east of it. It does not check texts, such as notes: half a surrogate fails in the driver of the database.
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


class UnstorableValuesMiddleware:
    """ASGI middleware that replaces the 500 of such a request; the size of bodies must be limited outside of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        body, started = bytearray(), False
        # Parts of the web server answer 500 themselves, with or without re-raising the error.
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
            detail = _refusal(dict(QueryParams(scope.get("query_string", b""))), _read(body))
            if detail:
                await problem_details.response(Request(scope), 422, detail)(scope, receive, send)
                return
        for message in held:
            await send(message)
        if error:
            raise error


def _refusal(query: Mapping[str, Any], body: Any) -> str:
    """Return which values cannot be stored, or an empty text."""
    if names := sorted({*_overflowing(query), *_overflowing(body)}):
        latest = datetime.now(UTC) + LONGEST_AHEAD
        return f"{', '.join(names)} must be between {EARLIEST:%Y-%m-%d} and {latest:%Y-%m-%d}, in UTC"
    from coinrequest.jobtypes.plain import plain_errors

    return "; ".join(f"{error.field} {error.message}" for error in plain_errors(body) if error.field)


def _read(body: bytearray) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _overflowing(values: Any) -> Iterator[str]:
    """Yield the names of the times that overflow in UTC. Airflow takes times at the top level of a body only."""
    for name, value in values.items() if isinstance(values, Mapping) else ():
        try:
            datetime.fromisoformat(value).astimezone(UTC)
        except OverflowError:
            yield name
        except (TypeError, ValueError):
            continue
