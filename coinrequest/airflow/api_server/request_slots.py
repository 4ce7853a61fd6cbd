"""Limits how many requests to Airflow's own routes run at the same time, so that they never hold all connections.

Airflow checks tokens and writes its audit log in the event loop (Airflow 3.3.2). While other requests hold all
connections of the pool, the loop waits for one, and those requests wait for the loop: twenty triggers at once stopped
the web server for two minutes, and some of them were answered with 500.
"""

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

from coinrequest.airflow.api_server.asgi import Application, Message, Receive, Scope, Send, route_path

# How many requests run at once: of agents, which a slow page must not delay, and of all others.
SLOTS = 3
# Connections of the pool that the requests to `/jobs` leave to Airflow: one of them to the event loop.
RESERVED_FOR_AIRFLOW = 2 * SLOTS + 1
_AGENTS = "/execution/"
# `/jobs` has a limit of its own, and files need no database.
_EXEMPT = ("/jobs/", "/static/")
# Of each event loop.
_slots_of_agents: RunVar[CapacityLimiter] = RunVar("requests of agents")
_slots: RunVar[CapacityLimiter] = RunVar("other requests to Airflow's routes")


class RequestSlotsMiddleware:
    """ASGI middleware that lets further requests wait, first come, first served.

    A request takes a slot when its body is there, so a slow client takes none, and returns it when its response begins:
    its session has ended then, and a stream may be long.
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        path = route_path(scope) if scope["type"] == "http" else ""
        if not path or path.startswith(_EXEMPT):
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        slots, borrower, is_read, is_held = _limiter(path), object(), False, True

        async def received() -> Message:
            nonlocal is_read
            if is_read:
                return await receive()
            is_read = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def sent(message: Message) -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                slots.release_on_behalf_of(borrower)
            await send(message)

        await slots.acquire_on_behalf_of(borrower)
        try:
            await self._app(scope, received, sent)
        finally:
            if is_held:
                slots.release_on_behalf_of(borrower)


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body, whose size the security middleware limits; None if the client has gone."""
    parts, is_complete = [], False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        is_complete = not message.get("more_body", False)
    return b"".join(parts)


def _limiter(path: str) -> CapacityLimiter:
    slots = _slots_of_agents if path.startswith(_AGENTS) else _slots
    try:
        return slots.get()
    except LookupError:
        limiter = CapacityLimiter(SLOTS)
        slots.set(limiter)
        return limiter
