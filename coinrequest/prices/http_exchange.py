"""One HTTP exchange with a price source, without retries."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from coinrequest.finite_numbers import finite
from coinrequest.http.headers import header_text
from coinrequest.http.retry_after import parse_retry_after
from coinrequest.limits import MAX_BODY_BYTES
from coinrequest.prices.connection_errors import describe_connection_error
from coinrequest.prices.errors import BadResponse, PriceUnavailable, RateLimited
from coinrequest.prices.rate_limits import CONNECTIONS

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """A GET of `url` with `params`; `source` is the name of the source, for errors."""

    source: str
    url: str
    params: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SourceResponse:
    """A response. Callers share it through the cache, so they must not change it.

    Attributes:
        status: the HTTP status: 2xx, or a 4xx other than 408, 425 and 429.
        document: the JSON document, with its numbers as `Decimal`.
        received_at: the time of the response, in UTC.
    """

    status: int
    document: Any
    received_at: datetime


class RetryableError(Exception):
    """The exchange failed, and another attempt may succeed.

    Attributes:
        text: the reason.
        status: the HTTP status; None if there was no response.
        retry_after: the seconds of `Retry-After`; None if the response had none.
    """

    def __init__(self, text: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.retry_after = retry_after

    def as_error(self, source: str, attempts: int) -> PriceUnavailable:
        """Return the error to raise after the last attempt."""
        text = self.text if attempts == 1 else f"{self.text}; tried {attempts} times"
        if self.status == 429:
            return RateLimited(source, text, self.retry_after)
        return PriceUnavailable(source, text)


def new_session() -> "requests.Session":
    """Return a session that ignores the environment: no proxies, no .netrc."""
    import requests
    from requests.adapters import HTTPAdapter

    from coinrequest.http.user_agent import user_agent

    session = requests.Session()
    session.trust_env = False
    # The responses are small. Every further encoding would be one more decoder to trust.
    session.headers.update({"User-Agent": user_agent(), "Accept": "application/json", "Accept-Encoding": "gzip"})
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))
    return session


def send(
    session: "requests.Session",
    request: SourceRequest,
    deadline: float,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
) -> SourceResponse:
    """Send a request once.

    Args:
        session: a session of `new_session`.
        request: the request.
        deadline: the time of `clock` by which the response must be complete.
        timeout: the caller's original time-out in seconds, for errors.
        clock: returns monotonic seconds.

    Raises:
        RetryableError: 408, 425, 429 or 5xx, no connection, no response in time, or an incomplete response.
        BadResponse: the response is not JSON, longer than 1 MiB, or a redirect.
        PriceUnavailable: the URL or the certificate is invalid.
    """
    import requests

    remaining = deadline - clock()
    late = f"no complete response within {timeout:g} seconds"
    if remaining <= 0:
        raise RetryableError(late)
    silent = f"it sent nothing for {READ_TIMEOUT_SECONDS:g} seconds" if remaining > READ_TIMEOUT_SECONDS else late
    try:
        prepared = session.prepare_request(requests.Request("GET", request.url, params=request.params))
        # The session itself would keep cookies, and would read the whole body of a redirect even without following it.
        response = session.get_adapter(prepared.url or "").send(
            prepared,
            stream=True,
            timeout=(min(CONNECT_TIMEOUT_SECONDS, remaining), min(READ_TIMEOUT_SECONDS, remaining)),
        )
        with response:
            _check_status(request.source, response)
            body = _read(request.source, response, lambda: clock() > deadline, late)
    except requests.ConnectTimeout as error:
        text = late if remaining <= CONNECT_TIMEOUT_SECONDS else f"no connection within {CONNECT_TIMEOUT_SECONDS:g} s"
        raise RetryableError(text) from error
    except (requests.Timeout, _ReadTimeout) as error:
        raise RetryableError(silent) from (error.__cause__ or error)
    except requests.exceptions.SSLError as error:
        raise PriceUnavailable(request.source, f"the request failed: {describe_connection_error(error)}") from error
    except ValueError as error:  # requests raises it for invalid URLs, and for no error of the network
        raise PriceUnavailable(request.source, "its address is not a valid URL") from error
    except requests.RequestException as error:
        raise RetryableError(f"the request failed: {describe_connection_error(error)}") from error
    return SourceResponse(response.status_code, _parse(request.source, response.status_code, body), datetime.now(UTC))


class _ReadTimeout(Exception):
    """No further part of the body arrived in time."""


def _check_status(source: str, response: "requests.Response") -> None:
    status = response.status_code
    if status >= 500 or status in {408, 425, 429}:
        retry_after = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        text = f"it responded with status {status}" + (" (too many requests)" if status == 429 else "")
        if retry_after is not None:
            text += f" and Retry-After: {retry_after:.0f} seconds"
        raise RetryableError(text, status, retry_after)
    if 300 <= status < 400:
        # http.client reads headers as Latin-1.
        location = header_text(response.headers.get("Location", "").encode("iso-8859-1", "replace"))
        raise BadResponse(source, f"it responded with status {status}, a redirect to {location[:200]!r}", status)
    length = response.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > MAX_BODY_BYTES:
        raise BadResponse(source, f"the response is longer than {MAX_BODY_BYTES} bytes: {length[:20]}", status)


def _read(source: str, response: "requests.Response", is_late: Callable[[], bool], late: str) -> bytes:
    """Read the body in chunks, because the time-out of requests starts again with each chunk."""
    import urllib3

    body = bytearray()
    try:
        while chunk := response.raw.read1(65_536, decode_content=True):
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise BadResponse(source, f"the response is longer than {MAX_BODY_BYTES} bytes")
            if is_late():
                raise RetryableError(late)
    except urllib3.exceptions.ReadTimeoutError as error:
        raise _ReadTimeout from error
    except urllib3.exceptions.DecodeError as error:
        raise RetryableError("the response is not compressed as its Content-Encoding says") from error
    except urllib3.exceptions.HTTPError as error:
        raise RetryableError("the response is incomplete") from error
    return bytes(body)


def _parse(source: str, status: int, body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=Decimal, parse_int=Decimal, parse_constant=finite)
    except (ValueError, ArithmeticError, RecursionError) as error:  # ArithmeticError: the exponent is too large
        start = f"it starts with {body[:80].decode('utf-8', 'replace')!r}" if body else "it is empty"
        text = f"the response has status {status} and is not JSON; {start}"
        raise BadResponse(source, text + _HINTS.get(status, ""), status) from error


_HINTS = {
    401: "; it may want a key, which is not supported: use another source",
    403: "; it may block this address or country: use another source",
    451: "; it may not serve this country: use another source",
}
