"""Redirects, followed without doing any input or output.

libcurl does not follow redirects itself, so that each hop is parsed, checked and timed like the first one. The logic
is a generator: it yields the exchanges to perform, and receives a response or a `RequestFailed` for each. `transport`
performs them.
"""

import contextlib
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urljoin

from coinrequest.http.errors import CertificateRefused, RequestFailed, UrlRefused
from coinrequest.http.messages import Hop, Phases, Request, Response
from coinrequest.http.target import Target, parse_target

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A redirect to another origin keeps only these headers, because they never hold credentials.
_SAFE_HEADERS = frozenset({"accept", "accept-language", "content-type"})


@dataclass(frozen=True, slots=True)
class Step:
    """An exchange to perform.

    Attributes:
        request: the request; the exchange uses the target instead of its URL.
        target: the URL of this hop.
        timeout: seconds for this exchange.
        addresses: the addresses of the host; None to resolve its name.
        only_certificate: whether to send nothing, and to read the certificate without verifying it.
    """

    request: Request
    target: Target
    timeout: float
    addresses: Sequence[str] | None = None
    only_certificate: bool = False


ValueT = TypeVar("ValueT")
Steps = Generator[Step, Response, ValueT]


def follow_redirects(request: Request) -> Steps[Response]:
    """Yield the exchanges of a request and of its redirects, and return the last response, whatever its status.

    Raises:
        UrlRefused: the URL or its address is refused, for the first request or for a redirect.
        RequestFailed: there was no response in time.
    """
    deadline = time.monotonic() + request.timeout
    hops: list[Hop] = []
    url = ""
    try:
        target = parse_target(request.url)
        while True:
            url = target.url
            response = yield from _exchange(request, target, deadline)
            if response.status not in _REDIRECTS or not response.location or request.redirect_limit == 0:
                return _with_hops(response, hops)
            hops.append(
                Hop(
                    url=url,
                    status=response.status,
                    location=response.headers["location"],
                    phases=response.phases,
                    remote_address=response.remote_address,
                )
            )
            if len(hops) > request.redirect_limit:
                raise RequestFailed(f"more than {request.redirect_limit} redirects")
            request, target = _next_hop(request, target, response.status, response.location)
    except RequestFailed as error:
        error.url, error.redirects = url, tuple(hops)
        raise


def _with_hops(response: Response, hops: list[Hop]) -> Response:
    if not hops:
        return response
    before = sum((hop.phases for hop in hops), Phases())
    return replace(response, phases=before + response.phases, redirects=tuple(hops))


def _exchange(request: Request, target: Target, deadline: float) -> Steps[Response]:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise RequestFailed(f"timed out: no response after {request.timeout:g} seconds")
    addresses = request.resolve.get(target.host.rstrip("."))
    if addresses is not None and not addresses:
        raise RequestFailed(f"Could not resolve host: {target.host}")  # the message of libcurl
    try:
        return (yield Step(request, target, remaining, addresses))
    except CertificateRefused as error:
        remaining = deadline - time.monotonic()
        if request.with_certificate and error.certificate is None and remaining > 0:
            # libcurl does not return a certificate that it refuses. A second connection, over which nothing is sent,
            # reads it, so that the user sees why it was refused.
            with contextlib.suppress(RequestFailed):
                seen = yield Step(request, target, remaining, addresses, only_certificate=True)
                error.certificate = seen.certificate
        raise


def becomes_get(status: int, method: str) -> bool:
    """Return whether a request is followed by a GET request after a redirect with this status."""
    return status == 303 or (status in {301, 302} and method == "POST")


def _next_hop(request: Request, target: Target, status: int, location: str) -> tuple[Request, Target]:
    """Return the request and the target after a redirect (RFC 9110, 15.4)."""
    try:
        following = parse_target(urljoin(target.url, location))
    except (UrlRefused, ValueError) as error:
        raise UrlRefused(f"the redirect to {location[:300]} is refused: {error}") from error
    if following.origin == target.origin and not following.username:
        following = replace(following, username=target.username, password=target.password)
    headers = request.headers
    if following.origin != target.origin:
        headers = {name: value for name, value in headers.items() if name.lower() in _SAFE_HEADERS}
    if becomes_get(status, request.method) and request.method != "HEAD":
        headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        request = replace(request, method="GET", body=None)
    return replace(request, headers=headers), following
