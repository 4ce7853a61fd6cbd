"""What holds for every request to the web server, Airflow's own routes included (Airflow 3.3.2, FAB 3.10.2).

Airflow reads a body before it asks who sends it, so its size is bounded here; FastAPI and Flask would take 150 MB of a
stranger. Requests that a browser's cookie signs in have to come from a page of this installation. Passwords are looked
at only so often. Browsers are told to show no page in a frame of another origin.
"""

from collections.abc import Iterable

from airflow.configuration import conf
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coinrequest import problem_details, settings
from coinrequest.airflow.api_server import same_origin, sign_in_limits
from coinrequest.airflow.api_server.paths import route_path
from coinrequest.airflow.api_server.run_checks import install

STRANGERS_BYTES = 16 * 1024
MEMBERS_BYTES = 1024 * 1024
# The result of a task, at most 1 MiB, is JSON within JSON there.
AGENTS_BYTES = 10 * 1024 * 1024

# Where passwords are sent: FAB's form, Airflow's tokens, and FAB's own tokens, which open nothing in Airflow 3.
_PASSWORDS = ("/auth/login", "/auth/token", "/auth/api/v1/security/")
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Content-Security-Policy", "frame-ancestors 'self'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


class BodyTooLarge(Exception):
    """More of a body has come than is read."""


class SecurityMiddleware:
    """Stands before all routes.

    Args:
        app: the application with the routes.
        trusted_origins: besides the installation's own, those that Airflow lets in (CORS).
    """

    def __init__(self, app: ASGIApp, trusted_origins: Iterable[str] = ()) -> None:
        self._app = app
        self._origins = {same_origin.origin_of(url) for url in (settings.base_url(), *trusted_origins)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        if scope["type"] == "websocket":
            # Nobody serves one here, and FAB's pages answer 500.
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), route_path(scope)
        limit = _limit(path, headers)
        refused = self._foreign(scope, headers, path) or _declared_too_large(scope, headers, limit)
        exchange = _Exchange(scope, receive, send, limit)
        if refused is not None:
            await refused(scope, receive, exchange.send)
            return
        if path.startswith("/auth/"):
            client = scope.get("client")
            exchange.visit = sign_in_limits.Visit(client[0] if client else "")
        token = sign_in_limits.visit.set(exchange.visit)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            if not exchange.is_refused:
                raise
        finally:
            sign_in_limits.visit.reset(token)
        await exchange.finish()

    def _foreign(self, scope: Scope, headers: Headers, path: str) -> Response | None:
        """Return the refusal of a request that a browser's cookie signs in, and that a foreign page may have sent."""
        if scope["method"] in same_origin.SAFE_METHODS or same_origin.has_bearer(headers):
            return None
        if not same_origin.has_session(headers):
            return None
        reason = same_origin.is_foreign(headers, {*self._origins, _own_origin(scope, headers)})
        if reason is not None:
            remedy = "use a page of this installation, or send a token as Authorization: Bearer"
            return problem_details.response(
                Request(scope), 403, f"The cookie does not sign this request in: {reason}; {remedy}"
            )
        # FAB's own pages send forms, each with a token of its own against forgery.
        if same_origin.is_form(headers) and not path.startswith("/auth/"):
            return problem_details.response(
                Request(scope), 415, "Name the type of the body: Content-Type: application/json"
            )
        return None


class _Exchange:
    """One request and its answer: counts the body, and takes the answer's place where one is refused."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._limit = limit
        self._read = 0
        self._started = False
        self.visit: sign_in_limits.Visit | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the answer is ours, and not the application's."""
        return not self._started and (self._read > self._limit or bool(self.visit and self.visit.retry_after))

    async def receive(self) -> Message:
        """Pass the next part of the body on.

        Raises:
            BodyTooLarge: too much has come.
        """
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._limit:
            raise BodyTooLarge
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, unless it is refused."""
        if self.is_refused:
            return
        if message["type"] == "http.response.start":
            self._started = True
            present = MutableHeaders(scope=message)
            for name, value in _HEADERS:
                present.setdefault(name, value)
        await self._send(message)

    async def finish(self) -> None:
        """Answer a request that was refused on its way."""
        if not self.is_refused:
            return
        answer = self._refusal()
        self._read, self.visit = 0, None
        await answer(self._scope, self._receive, self.send)

    def _refusal(self) -> Response:
        if self._read > self._limit:
            return _too_large(self._scope, self._limit)
        seconds = self.visit.retry_after if self.visit else 0
        detail = f"Too many wrong passwords; try again in {seconds} s"
        again = {"Retry-After": str(seconds)}
        if Headers(scope=self._scope).get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return PlainTextResponse(detail, 429, again)
        return problem_details.response(Request(self._scope), 429, detail, headers=again)


def protect(app: ASGIApp) -> SecurityMiddleware:
    """Return what Airflow's web server puts before its routes; Airflow's own doors for runs are watched from now on."""
    install()
    own = conf.get("api", "base_url", fallback="")
    return SecurityMiddleware(app, [own, *conf.getlist("api", "access_control_allow_origins", fallback=[])])


def _own_origin(scope: Scope, headers: Headers) -> str | None:
    return same_origin.origin_of(f"{scope.get('scheme', 'http')}://{headers.get('host', '')}")


def _limit(path: str, headers: Headers) -> int:
    """Return how many bytes of a body are read."""
    if not (same_origin.has_bearer(headers) or same_origin.has_session(headers)):
        return STRANGERS_BYTES
    if path.startswith(_PASSWORDS):
        return STRANGERS_BYTES
    return AGENTS_BYTES if path.startswith("/execution/") else MEMBERS_BYTES


def _declared_too_large(scope: Scope, headers: Headers, limit: int) -> Response | None:
    declared = headers.get("content-length", "")
    return _too_large(scope, limit) if declared.isdigit() and int(declared[:20]) > limit else None


def _too_large(scope: Scope, limit: int) -> Response:
    who = "" if limit > STRANGERS_BYTES else " of a sign-in, or of a request without one,"
    return problem_details.response(
        Request(scope), 413, f"The body{who} may have {limit:,} bytes at most", headers={"Connection": "close"}
    )
