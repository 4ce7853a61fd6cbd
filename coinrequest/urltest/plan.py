"""The options of a URL test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypedDict, get_args

from coinrequest.http.guard import AddressGuard, configured_guard
from coinrequest.http.headers import check_headers
from coinrequest.http.messages import REDIRECT_LIMIT, Request
from coinrequest.limits import MAX_BODY_BYTES
from coinrequest.urltest.expectations import Expectations

ATTEMPTS = 3
TIMEOUT_SECONDS = 10.0
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Options(TypedDict, total=False):
    """The options of `test_url` and `test_urls`; `Plan` explains them."""

    method: str
    headers: Mapping[str, str]
    body: bytes | None
    attempts: int
    retry_errors: bool
    timeout: float
    connect_timeout: float | None
    redirect_limit: int
    body_limit: int
    ip_version: Literal[4, 6] | None
    verify_tls: bool
    resolve: Mapping[str, Sequence[str]]
    expect: Expectations
    guard: AddressGuard | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The checked options of a URL test.

    Attributes:
        method: GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.
        headers: the headers; a redirect to another origin drops those that may hold secrets.
        body: the body.
        attempts: the maximum number of requests until the status is an expected one.
        retry_errors: whether to try again after connection errors too.
        timeout: seconds for one attempt, including redirects.
        connect_timeout: seconds to connect, within `timeout`; None for no limit of its own.
        redirect_limit: the number of redirects that an attempt follows; with 0 a redirect is the response.
        body_limit: the number of bytes of the body after which reading stops.
        ip_version: 4 or 6 to connect over that version only.
        verify_tls: False accepts any certificate, so the response may come from anybody.
        resolve: addresses to use for host names instead of resolving them, like `--resolve` of curl.
        expect: what the response must fulfil for the test to pass.
        guard: checks each address; None for the guard of the settings.

    Raises:
        ValueError: an option is invalid; the message names it and the remedy.
    """

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    attempts: int = ATTEMPTS
    retry_errors: bool = False
    timeout: float = TIMEOUT_SECONDS
    connect_timeout: float | None = None
    redirect_limit: int = REDIRECT_LIMIT
    body_limit: int = MAX_BODY_BYTES
    ip_version: Literal[4, 6] | None = None
    verify_tls: bool = True
    resolve: Mapping[str, Sequence[str]] = field(default_factory=dict)
    expect: Expectations = field(default_factory=Expectations)
    guard: AddressGuard | None = None

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ValueError(f"method: {self.method!r} is not one of {', '.join(get_args(Method))}")
        try:
            check_headers(self.headers)
        except ValueError as error:
            raise ValueError(f"headers: {error}") from error
        if self.body is not None and not isinstance(self.body, bytes):
            raise ValueError("body: must be bytes; encode a text first")
        if self.body is not None and self.method == "HEAD":
            raise ValueError("body: a HEAD request has no body; choose another method, or leave it out")
        for name, least in (("attempts", 1), ("redirect_limit", 0), ("body_limit", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}")
        if not 0 < self.timeout < float("inf"):
            raise ValueError("timeout: must be a number of seconds above 0")
        if self.connect_timeout is not None and not 0 < self.connect_timeout < float("inf"):
            raise ValueError("connect_timeout: must be a number of seconds above 0, or None for no limit of its own")
        if self.ip_version not in (4, 6, None):
            raise ValueError("ip_version: must be 4, 6 or None")

    @cached_property
    def address_guard(self) -> AddressGuard:
        """The given guard, or the guard of the settings."""
        return self.guard if self.guard is not None else configured_guard()

    def request(self, url: str) -> Request:
        """Return the request of one attempt."""
        return Request(
            url=url,
            method=self.method,
            headers=self.headers,
            body=self.body,
            timeout=self.timeout,
            connect_timeout=self.connect_timeout,
            redirect_limit=self.redirect_limit,
            body_limit=self.body_limit,
            ip_version=self.ip_version,
            verify_tls=self.verify_tls,
            resolve=self.resolve,
            with_certificate=True,
        )
