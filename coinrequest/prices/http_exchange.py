"""One request to a price source and its answer, without a second attempt."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

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
    """What is asked: a GET of `url` with `params`; `source` is the name for errors."""

    source: str
    url: str
    params: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SourceResponse:
    """What a source answered. Callers may share it: read it, and do not change it.

    Attributes:
        status: HTTP status: 2xx, or a 4xx that the source may want to read (not 408, 425 or 429).
        document: the JSON, its numbers as `Decimal`.
        received_at: UTC.
    """

    status: int
    document: Any
    received_at: datetime


class RetryableError(Exception):
    """There is no answer, and a moment later there may be one; its cause, if any, is chained to it.

    Attributes:
        text: what happened, for a person.
        status: of the answer; None: there was none.
        retry_after: seconds for which the source wants to be left alone, if it said so.
    """

    def __init__(self, text: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.retry_after = retry_after

    def as_error(self, source: str, attempts: int) -> PriceUnavailable:
        """Return the error for whoever asked, after the last attempt."""
        text = self.text if attempts == 1 else f"{self.text}; asked {attempts} times"
        if self.status == 429:
            return RateLimited(source, text, self.retry_after)
        return PriceUnavailable(source, text)


def new_session() -> "requests.Session":
    """Return a pool of connections that takes nothing from the environment: no proxies, no .netrc."""
    import requests
    from requests.adapters import HTTPAdapter

    from coinrequest.http.user_agent import user_agent

    session = requests.Session()
    session.trust_env = False
    # What a small answer is packed with matters little, and each further format is one more decoder to trust.
    session.headers.update({"User-Agent": user_agent(), "Accept": "application/json", "Accept-Encoding": "gzip"})
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))
    return session


def ask(
    session: "requests.Session",
    question: SourceRequest,
    deadline: float,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
) -> SourceResponse:
    """Ask once.

    Args:
        session: as `new_session` makes it.
        question: what to ask.
        deadline: on the clock, for the whole answer.
        timeout: the seconds that the caller gave at first, for errors.
        clock: seconds that only grow.

    Raises:
        RetryableError: 408, 425, 429 or 5xx, no connection, no answer in time, or one that broke off.
        BadResponse: the answer is not JSON, or longer than 1 MiB, or a redirect.
        PriceUnavailable: the address or the certificate cannot be used.
    """
    import requests

    remaining = deadline - clock()
    late = f"no whole answer within {timeout:g} seconds"
    if remaining <= 0:
        raise RetryableError(late)
    silent = f"it was silent for {READ_TIMEOUT_SECONDS:g} seconds" if remaining > READ_TIMEOUT_SECONDS else late
    try:
        request = session.prepare_request(requests.Request("GET", question.url, params=question.params))
        # The adapter, because the session reads the whole body of a redirect, follow it or not, and keeps cookies.
        response = session.get_adapter(request.url or "").send(
            request,
            stream=True,
            timeout=(min(CONNECT_TIMEOUT_SECONDS, remaining), min(READ_TIMEOUT_SECONDS, remaining)),
        )
        with response:
            _check_status(question.source, response)
            body = _read(question.source, response, lambda: clock() > deadline, late)
    except requests.ConnectTimeout as error:
        text = late if remaining <= CONNECT_TIMEOUT_SECONDS else f"no connection within {CONNECT_TIMEOUT_SECONDS:g} s"
        raise RetryableError(text) from error
    except (requests.Timeout, _ReadTimeout) as error:
        raise RetryableError(silent) from (error.__cause__ or error)
    except requests.exceptions.SSLError as error:
        raise PriceUnavailable(question.source, f"the request failed: {describe_connection_error(error)}") from error
    except ValueError as error:  # of the library: none of its errors about the network is one
        raise PriceUnavailable(question.source, "its address is not a URL that can be asked") from error
    except requests.RequestException as error:
        raise RetryableError(f"the request failed: {describe_connection_error(error)}") from error
    return SourceResponse(response.status_code, _parse(question.source, response.status_code, body), datetime.now(UTC))


class _ReadTimeout(Exception):
    """The body did not go on."""


def _check_status(source: str, response: "requests.Response") -> None:
    status = response.status_code
    if status >= 500 or status in {408, 425, 429}:
        retry_after = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        text = f"it answered with status {status}" + (" (too many requests)" if status == 429 else "")
        if retry_after is not None:
            text += f" and wants to be left alone for {retry_after:.0f} seconds"
        raise RetryableError(text, status, retry_after)
    if 300 <= status < 400:
        raise BadResponse(source, f"it answered with a redirect to {response.headers.get('Location', '')[:200]!r}")


def _read(source: str, response: "requests.Response", is_late: Callable[[], bool], late: str) -> bytes:
    """Read the body piece by piece, because the library's own time-out starts again with every piece."""
    import urllib3

    body = bytearray()
    try:
        while piece := response.raw.read1(65_536, decode_content=True):
            body += piece
            if len(body) > MAX_BODY_BYTES:
                raise BadResponse(source, f"the answer is longer than {MAX_BODY_BYTES} bytes")
            if is_late():
                raise RetryableError(late)
    except urllib3.exceptions.ReadTimeoutError as error:
        raise _ReadTimeout from error
    except urllib3.exceptions.HTTPError as error:
        raise RetryableError("the answer broke off") from error
    return bytes(body)


def _parse(source: str, status: int, body: bytes) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(body, parse_float=Decimal, parse_int=Decimal, parse_constant=refuse)
    except (ValueError, ArithmeticError, RecursionError) as error:  # ArithmeticError: an exponent beyond all bounds
        start = body[:80].decode("utf-8", "replace")
        raise BadResponse(source, f"the answer is not JSON; it starts with {start!r}", status) from error
