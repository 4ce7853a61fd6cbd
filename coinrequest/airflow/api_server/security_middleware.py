"""The middleware that protects every route of the web server, Airflow's own included (Airflow 3.3.2, FAB 3.10.2).

- Airflow reads a body before it authenticates the request, and accepts 150 MB from anyone. Here its size is limited.
- A request that is authenticated by a cookie must come from a page of this installation.
- Too many wrong passwords are answered with 429.
- Security headers keep pages out of frames of other origins.
"""

from collections.abc import Iterable

from airflow.configuration import conf
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coinrequest import problem_details, settings
from coinrequest.airflow.api_server import run_checks, same_origin
from coinrequest.airflow.api_server.asgi import route_path
from coinrequest.airflow.api_server.sign_in_limits import SignIn, current_sign_in
from coinrequest.errors import CoinrequestError
from coinrequest.limits import MEBIBYTE

UNAUTHENTICATED_BYTES = 16 * 1024
AUTHENTICATED_BYTES = MEBIBYTE
# The result of a task, at most 1 MiB, is JSON within JSON in these requests.
AGENT_BYTES = 10 * MEBIBYTE

# Routes that take passwords: FAB's form, Airflow's tokens, and FAB's own tokens, which Airflow 3 does not accept.
_PASSWORD_ROUTES = ("/auth/login", "/auth/token", "/auth/api/v1/security/")
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Content-Security-Policy", "frame-ancestors 'self'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


class BodyTooLarge(CoinrequestError):
    """The body of a request exceeds its limit."""


class SecurityMiddleware:
    """ASGI middleware that protects all routes.

    Args:
        app: the application with the routes.
        trusted_origins: the origins that Airflow allows (CORS), besides the installation's own.
    """

    def __init__(self, app: ASGIApp, trusted_origins: Iterable[str] = ()) -> None:
        self._app = app
        self._origins = {same_origin.origin_of(url) for url in (settings.base_url(), *trusted_origins)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        if scope["type"] == "websocket":
            # No route serves websockets, and FAB's pages would answer 500.
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), route_path(scope)
        limit = _limit(path, headers)
        refusal = self._cross_origin(scope, headers, path) or _declared_too_large(scope, headers, limit)
        exchange = _Exchange(scope, receive, send, limit)
        if refusal is not None:
            await refusal(scope, receive, exchange.send)
            return
        if path.startswith("/auth/"):
            client = scope.get("client")
            exchange.sign_in = SignIn(client[0] if client else "")
        token = current_sign_in.set(exchange.sign_in)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            if not exchange.is_refused:
                raise
        finally:
            current_sign_in.reset(token)
        await exchange.finish()

    def _cross_origin(self, scope: Scope, headers: Headers, path: str) -> Response | None:
        """Return the refusal of a request with a session cookie that a page of another origin may have sent."""
        if scope["method"] in same_origin.SAFE_METHODS or same_origin.has_bearer(headers):
            return None
        if not same_origin.has_session(headers):
            return None
        reason = same_origin.cross_origin_reason(headers, {*self._origins, _own_origin(scope, headers)})
        if reason is not None:
            remedy = "use a page of this installation, or send a token as Authorization: Bearer"
            return problem_details.response(
                Request(scope), 403, f"The cookie does not authenticate this request: {reason}; {remedy}"
            )
        # FAB's own pages send forms, each with a CSRF token.
        if same_origin.is_form(headers) and not path.startswith("/auth/"):
            return problem_details.response(
                Request(scope), 415, "Set the type of the body: Content-Type: application/json"
            )
        return None


class _Exchange:
    """A request and its response: counts the bytes of the body, and replaces the response if the request is refused."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._limit = limit
        self._read = 0
        self._started = False
        self.sign_in: SignIn | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the middleware answers instead of the application."""
        return not self._started and (self._read > self._limit or bool(self.sign_in and self.sign_in.retry_after))

    async def receive(self) -> Message:
        """Return the next part of the body.

        Raises:
            BodyTooLarge: the body exceeds its limit.
        """
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._limit:
            raise BodyTooLarge
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the response, unless the request is refused."""
        if self.is_refused:
            return
        if message["type"] == "http.response.start":
            self._started = True
            present = MutableHeaders(scope=message)
            for name, value in _HEADERS:
                present.setdefault(name, value)
        await self._send(message)

    async def finish(self) -> None:
        """Send the refusal, if the request was refused while the application ran."""
        if not self.is_refused:
            return
        refusal = self._refusal()
        self._read, self.sign_in = 0, None
        await refusal(self._scope, self._receive, self.send)

    def _refusal(self) -> Response:
        if self._read > self._limit:
            return _too_large(self._scope, self._limit)
        seconds = self.sign_in.retry_after if self.sign_in else 0
        detail = f"Too many wrong passwords; try again in {seconds} s"
        headers = {"Retry-After": str(seconds)}
        if Headers(scope=self._scope).get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return PlainTextResponse(detail, 429, headers)
        return problem_details.response(Request(self._scope), 429, detail, headers=headers)


def protect(app: ASGIApp) -> SecurityMiddleware:
    """Return the middleware around `app`, and check all runs that this process stores from now on."""
    run_checks.install()
    own = conf.get("api", "base_url", fallback="")
    return SecurityMiddleware(app, [own, *conf.getlist("api", "access_control_allow_origins", fallback=[])])


def _own_origin(scope: Scope, headers: Headers) -> str | None:
    return same_origin.origin_of(f"{scope.get('scheme', 'http')}://{headers.get('host', '')}")


def _limit(path: str, headers: Headers) -> int:
    """Return the largest body, in bytes."""
    if not (same_origin.has_bearer(headers) or same_origin.has_session(headers)):
        return UNAUTHENTICATED_BYTES
    if path.startswith(_PASSWORD_ROUTES):
        return UNAUTHENTICATED_BYTES
    return AGENT_BYTES if path.startswith("/execution/") else AUTHENTICATED_BYTES


def _declared_too_large(scope: Scope, headers: Headers, limit: int) -> Response | None:
    declared = headers.get("content-length", "")
    return _too_large(scope, limit) if declared.isdigit() and int(declared[:20]) > limit else None


def _too_large(scope: Scope, limit: int) -> Response:
    kind = "" if limit > UNAUTHENTICATED_BYTES else " of a sign-in or an unauthenticated request"
    return problem_details.response(
        Request(scope), 413, f"The body{kind} is larger than {limit:,} bytes", headers={"Connection": "close"}
    )
