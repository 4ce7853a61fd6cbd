"""Following redirects, without input and output of its own.

A redirect is followed here and not by libcurl, so that each hop is parsed, judged and timed like the first one.
What decides what comes next is a generator: it yields exchanges and gets answers back, or `RequestFailed` thrown in.
`transport` makes them happen.
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
# What a redirect to another origin may still carry: none of it can be a credential.
_HARMLESS_HEADERS = frozenset({"accept", "accept-language", "content-type"})


@dataclass(frozen=True, slots=True)
class Step:
    """One exchange to make.

    Attributes:
        request: its URL is not used, but the target.
        target: where it goes.
        timeout: seconds for this exchange.
        addresses: where the host is; None: its name is to be looked up.
        only_certificate: whether nothing is sent, and the server's certificate is read without being verified.
    """

    request: Request
    target: Target
    timeout: float
    addresses: Sequence[str] | None = None
    only_certificate: bool = False


ValueT = TypeVar("ValueT")
Steps = Generator[Step, Response, ValueT]


def follow_redirects(request: Request) -> Steps[Response]:
    """Make the exchanges of a request and its redirects, and return the last answer, whatever its status.

    Raises:
        UrlRefused: the URL or the address behind it, of the first request or of a redirect, is not allowed.
        RequestFailed: no answer came in time, or at all.
    """
    deadline = time.monotonic() + request.timeout
    hops: list[Hop] = []
    url = ""
    try:
        target = parse_target(request.url)
        while True:
            url = target.url
            response = yield from _exchange(request, target, deadline)
            location = response.headers.get("location", "")
            if response.status not in _REDIRECTS or not location or request.redirect_limit == 0:
                return _after(hops, response)
            hops.append(
                Hop(
                    url=url,
                    status=response.status,
                    location=location,
                    phases=response.phases,
                    remote_address=response.remote_address,
                )
            )
            if len(hops) > request.redirect_limit:
                raise RequestFailed(f"more than {request.redirect_limit} redirects")
            request, target = _redirected(request, target, response.status, location)
    except RequestFailed as error:
        error.url, error.redirects = url, tuple(hops)
        raise


def _after(hops: list[Hop], response: Response) -> Response:
    if not hops:
        return response
    spent = sum((hop.phases for hop in hops), Phases())
    return replace(response, phases=spent + response.phases, redirects=tuple(hops))


def _exchange(request: Request, target: Target, deadline: float) -> Steps[Response]:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise RequestFailed(f"the time is over: no answer after {request.timeout:g} seconds")
    addresses = request.resolve.get(target.host.rstrip("."))
    if addresses is not None and not addresses:
        raise RequestFailed(f"Could not resolve host: {target.host}")  # as libcurl says it
    try:
        return (yield Step(request, target, remaining, addresses))
    except CertificateRefused as error:
        remaining = deadline - time.monotonic()
        if request.with_certificate and error.certificate is None and remaining > 0:
            # libcurl does not show a certificate that it refuses; a second connection, over which nothing is sent,
            # tells the person why.
            with contextlib.suppress(RequestFailed):
                seen = yield Step(request, target, remaining, addresses, only_certificate=True)
                error.certificate = seen.certificate
        raise


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
