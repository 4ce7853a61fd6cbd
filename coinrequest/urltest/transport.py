"""One HTTP exchange over libcurl, with the guard at the place where sockets are opened.

Redirects are followed here and not by libcurl, so that each hop is parsed, judged and timed like the first one.
The options of libcurl are documented at https://curl.se/libcurl/c/curl_easy_setopt.html.
"""

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urljoin

from coinrequest.urltest.errors import RequestFailed, UrlRefused
from coinrequest.urltest.guard import AddressGuard
from coinrequest.urltest.target import Target, parse_target

BODY_LIMIT = 1_048_576
REDIRECT_LIMIT = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What a redirect to another origin may still carry: none of it can be a credential.
_HARMLESS_HEADERS = frozenset({"accept", "accept-language", "content-type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to send.

    Attributes:
        url: absolute, http or https.
        method: upper case.
        headers: names and values, checked by the caller to hold no line ends.
        body: None sends none.
        timeout: seconds for everything, redirects included.
        connect_timeout: of them, seconds until the connection stands; None: no limit of its own.
        redirect_limit: how many redirects are followed; with 0 a redirect is the answer.
        body_limit: bytes of the (decoded) answer's body after which reading stops.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout: float = 10.0
    connect_timeout: float | None = None
    redirect_limit: int = REDIRECT_LIMIT
    body_limit: int = BODY_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Where the time went, in seconds, summed over all hops.

    Attributes:
        resolve: name resolution.
        connect: TCP connection.
        tls: TLS handshake, 0 without TLS.
        first_byte: from the request sent to the first byte of the answer.
        total: everything, the transfer of the body included.
    """

    resolve: float = 0.0
    connect: float = 0.0
    tls: float = 0.0
    first_byte: float = 0.0
    total: float = 0.0

    def __add__(self, other: "Phases") -> "Phases":
        """Add the phases of the next hop."""
        return Phases(
            resolve=self.resolve + other.resolve,
            connect=self.connect + other.connect,
            tls=self.tls + other.tls,
            first_byte=self.first_byte + other.first_byte,
            total=self.total + other.total,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One redirect: the URL that answered, its status, and where it pointed."""

    url: str
    status: int
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back from the last hop.

    Attributes:
        url: the URL that gave this answer, without user information.
        status: HTTP status code.
        headers: names in lower case; a repeated one is joined with ", " (RFC 9110, 5.3).
        body: at most `body_limit` bytes.
        truncated: whether the body was longer.
        phases: seconds.
        redirects: the hops before it.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    phases: Phases
    redirects: tuple[Hop, ...]


def send(request: Request, guard: AddressGuard) -> Response:
    """Send a request, follow its redirects, and return the last answer, whatever its status.

    Args:
        request: what to send.
        guard: judges every address before a socket is opened to it.

    Raises:
        UrlRefused: the URL or the address behind it, of the first request or of a redirect, is not allowed.
        RequestFailed: no answer came in time, or at all.
    """
    deadline = time.monotonic() + request.timeout
    target = parse_target(request.url)
    hops: list[Hop] = []
    spent = Phases()
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise RequestFailed(f"the time is over: no answer after {request.timeout:g} seconds")
        response = _exchange(replace(request, timeout=remaining), target, guard)
        spent += response.phases
        location = response.headers.get("location", "")
        if response.status not in _REDIRECTS or not location or request.redirect_limit == 0:
            return replace(response, phases=spent, redirects=tuple(hops))
        hops.append(Hop(url=target.url, status=response.status, location=location))
        if len(hops) > request.redirect_limit:
            raise RequestFailed(f"more than {request.redirect_limit} redirects")
        request, target = _redirected(request, target, response.status, location)


def _redirected(request: Request, target: Target, status: int, location: str) -> tuple[Request, Target]:
    """Build the request that follows a redirect (RFC 9110, 15.4)."""
    try:
        following = parse_target(urljoin(target.url, location))
    except (UrlRefused, ValueError) as error:
        raise UrlRefused(f"the redirect to {location[:300]} is refused: {error}") from error
    if following.origin == target.origin and not following.username:
        following = replace(following, username=target.username, password=target.password)
    headers = request.headers
    if following.origin != target.origin:
        headers = {name: value for name, value in headers.items() if name.lower() in _HARMLESS_HEADERS}
    becomes_get = status == 303 or (status in {301, 302} and request.method == "POST")
    if becomes_get and request.method != "HEAD":
        headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        request = replace(request, method="GET", body=None)
    return replace(request, headers=headers), following


class _Sockets:
    """Opens the sockets of one exchange, after asking the guard."""

    def __init__(self, guard: AddressGuard, host: str) -> None:
        self._guard = guard
        self._host = host
        self._opened: list[socket.socket] = []
        self.refusals: list[str] = []

    def open(self, purpose: int, address: Any) -> Any:
        """Answer libcurl's request for a socket; see CURLOPT_OPENSOCKETFUNCTION. It must not raise."""
        import pycurl

        try:
            refusal = self._guard.refusal(address.addr[0], self._host)
            if refusal is None:
                opened = socket.socket(address.family, address.socktype, address.protocol)
                # libcurl works on a duplicate; this object is kept until the exchange is over, then closed.
                self._opened.append(opened)
                return opened
        except Exception as error:
            refusal = f"the socket could not be opened: {error}"
        self.refusals.append(refusal)
        return pycurl.SOCKET_BAD

    @property
    def all_refused(self) -> bool:
        return bool(self.refusals) and not self._opened

    def close(self) -> None:
        for opened in self._opened:
            opened.close()


class _Answer:
    """Collects what libcurl receives."""

    def __init__(self, body_limit: int) -> None:
        self._limit = body_limit
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.truncated = False

    def on_header(self, line: bytes) -> None:
        text = line.decode("iso-8859-1").strip()
        if text.startswith("HTTP/"):
            self.headers.clear()  # an interim answer (1xx) came before
            return
        name, separator, value = text.partition(":")
        if separator:
            name, value = name.strip().lower(), value.strip()
            before = self.headers.get(name)
            self.headers[name] = value if before is None or name == "location" else f"{before}, {value}"

    def on_body(self, data: bytes) -> int:
        room = self._limit - len(self.body)
        self.body += data[:room]
        if len(data) > room:
            self.truncated = True
            return 0  # fewer bytes than given: libcurl ends the transfer
        return len(data)


def _exchange(request: Request, target: Target, guard: AddressGuard) -> Response:
    import pycurl

    sockets = _Sockets(guard, target.host)
    answer = _Answer(request.body_limit)
    curl = pycurl.Curl()
    try:
        _configure(curl, request, target)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, sockets.open)
        curl.setopt(pycurl.HEADERFUNCTION, answer.on_header)
        curl.setopt(pycurl.WRITEFUNCTION, answer.on_body)
        try:
            curl.perform()
        except pycurl.error as error:
            if sockets.all_refused:
                raise UrlRefused(sockets.refusals[0]) from error
            if not answer.truncated:
                raise RequestFailed(_reason(error, request)) from error
        return Response(
            url=target.url,
            status=curl.getinfo(pycurl.RESPONSE_CODE),
            headers=answer.headers,
            body=bytes(answer.body),
            truncated=answer.truncated,
            phases=_phases(curl),
            redirects=(),
        )
    finally:
        curl.close()
        sockets.close()


def _configure(curl: Any, request: Request, target: Target) -> None:
    import certifi
    import pycurl

    from coinrequest.user_agent import user_agent

    headers = {"User-Agent": user_agent(), "Expect": ""} | dict(request.headers)
    curl.setopt(pycurl.URL, target.url)
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.PROXY, "")  # empty: also not what the environment says
    curl.setopt(pycurl.NOPROXY, "*")
    curl.setopt(pycurl.NOSIGNAL, 1)  # signals would break threads
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.ACCEPT_ENCODING, "")
    curl.setopt(pycurl.TIMEOUT_MS, max(1, round(request.timeout * 1000)))
    connect_timeout = min(request.timeout, request.connect_timeout or request.timeout)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, round(connect_timeout * 1000)))
    # The libraries inside pycurl do not know where this system keeps its certificates.
    curl.setopt(pycurl.CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where())
    curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in headers.items()])
    if target.username or target.password:
        curl.setopt(pycurl.USERNAME, target.username)
        curl.setopt(pycurl.PASSWORD, target.password)
        curl.setopt(pycurl.HTTPAUTH, pycurl.HTTPAUTH_BASIC)
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    elif request.method != "GET" or request.body is not None:
        if request.body is not None or request.method in {"POST", "PUT", "PATCH"}:
            curl.setopt(pycurl.POSTFIELDS, request.body or b"")
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)


def _reason(error: Exception, request: Request) -> str:
    code, text = (*error.args, "")[:2]
    if code == 28:  # CURLE_OPERATION_TIMEDOUT
        return f"the time is over: {text}"
    return str(text) or f"libcurl error {code}"


def _phases(curl: Any) -> Phases:
    """Turn libcurl's points in time, all counted from the start, into lengths."""
    import pycurl

    resolved = curl.getinfo(pycurl.NAMELOOKUP_TIME)
    connected = max(curl.getinfo(pycurl.CONNECT_TIME), resolved)
    secured = max(curl.getinfo(pycurl.APPCONNECT_TIME), connected)
    ready = max(curl.getinfo(pycurl.PRETRANSFER_TIME), secured)
    first_byte = max(curl.getinfo(pycurl.STARTTRANSFER_TIME), ready)
    return Phases(
        resolve=resolved,
        connect=connected - resolved,
        tls=secured - connected,
        first_byte=first_byte - ready,
        total=curl.getinfo(pycurl.TOTAL_TIME),
    )
