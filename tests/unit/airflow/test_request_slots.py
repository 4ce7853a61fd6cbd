"""Airflow's own routes leave connections to the event loop, whoever asks them, and however slowly."""

import asyncio
from typing import Any

import pytest

from coinrequest.airflow.api_server.asgi import Message, Receive, Scope, Send
from coinrequest.airflow.api_server.request_slots import SLOTS, RequestSlotsMiddleware


class Application:
    """Holds each request until `go` is set, and then until `end` is."""

    def __init__(self) -> None:
        self.running = 0
        self.go, self.end = asyncio.Event(), asyncio.Event()
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running += 1
        self.bodies.append((await receive())["body"])
        await self.go.wait()
        if scope.get("fails"):
            raise LookupError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.end.wait()
        await send({"type": "http.response.body", "body": b""})


def ask(app: Any, path: str = "/api/v2/dags/a/dagRuns", *, body: tuple[bytes, ...] = (b"",), **scope: Any) -> Any:
    """Begin a request whose body comes in parts; without a last one, it never does."""
    parts = list(body)

    async def receive() -> Message:
        if not parts:
            await asyncio.Event().wait()
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(part)}

    async def send(message: Message) -> None:
        pass

    return asyncio.ensure_future(app({"type": "http", "path": path, **scope}, receive, send))


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_few_requests_run_at_once_and_the_others_follow_when_responses_begin() -> None:
    async def scenario() -> None:
        inner = Application()
        asked = [ask(RequestSlotsMiddleware(inner)) for _ in range(SLOTS + 2)]
        await settle()
        assert inner.running == SLOTS
        inner.go.set()
        await settle()
        assert inner.running == SLOTS + 2, "a stream keeps its slot"
        inner.end.set()
        await asyncio.gather(*asked)

    asyncio.run(scenario())


def test_agents_need_not_wait_for_other_requests() -> None:
    async def scenario() -> None:
        inner = Application()
        app = RequestSlotsMiddleware(inner)
        asked = [ask(app, path) for path in ("/api/v2/dags", "/execution/xcoms/a") for _ in range(SLOTS + 1)]
        await settle()
        assert inner.running == 2 * SLOTS
        inner.go.set()
        inner.end.set()
        await asyncio.gather(*asked)

    asyncio.run(scenario())


def test_requests_that_fail_return_their_slots() -> None:
    async def scenario() -> None:
        inner = Application()
        inner.go.set()
        inner.end.set()
        app = RequestSlotsMiddleware(inner)
        ended = await asyncio.gather(*[ask(app, fails=True) for _ in range(2 * SLOTS)], return_exceptions=True)
        assert all(isinstance(error, LookupError) for error in ended)
        await ask(app)

    asyncio.run(scenario())


def test_a_slow_client_takes_no_slot_and_a_body_arrives_whole() -> None:
    async def scenario() -> None:
        inner = Application()
        inner.go.set()
        inner.end.set()
        app = RequestSlotsMiddleware(inner)
        slow = [ask(app, body=(b"a",)) for _ in range(2 * SLOTS)]
        await settle()
        await ask(app, body=(b"a", b"b", b""))
        assert inner.bodies == [b"ab"]
        for request in slow:
            request.cancel()

    asyncio.run(scenario())


def test_a_client_that_goes_away_is_not_served() -> None:
    async def scenario() -> None:
        inner = Application()

        async def gone() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            raise AssertionError

        await RequestSlotsMiddleware(inner)({"type": "http", "path": "/api/v2/dags"}, gone, send)
        assert inner.running == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/jobs/v1/jobs", "/static/a.js"])
def test_routes_that_do_not_need_it_have_no_limit(path: str) -> None:
    async def scenario() -> None:
        inner = Application()
        asked = [ask(RequestSlotsMiddleware(inner), path) for _ in range(2 * SLOTS)]
        await settle()
        assert inner.running == 2 * SLOTS
        inner.go.set()
        inner.end.set()
        await asyncio.gather(*asked)

    asyncio.run(scenario())
