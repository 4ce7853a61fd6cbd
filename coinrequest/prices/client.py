"""One way to ask a price source: a GET that ends in time and answers with JSON or with a typed error."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from coinrequest.prices.errors import BadResponse, PriceUnavailable, RateLimited

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT_SECONDS = 5.0
TIMEOUT_SECONDS = 10.0
BODY_LIMIT = 1_048_576


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source answered.

    Attributes:
        status: HTTP status: 2xx, or a 4xx that the source may want to read (not 408, 425 or 429).
        document: the JSON, its numbers as `Decimal`.
        received_at: UTC.
    """

    status: int
    document: Any
    received_at: datetime


def fetch(source: str, url: str, params: Mapping[str, str], timeout: float = TIMEOUT_SECONDS) -> Answer:
    """GET a JSON document.

    Args:
        source: name of the source, for errors.
        url: where it is.
        params: query parameters.
        timeout: seconds for the whole answer; connecting may take 5 of them.

    Raises:
        RateLimited: the source answered 429.
        BadResponse: the answer is not JSON, or longer than 1 MiB, or a redirect to somewhere else.
        PriceUnavailable: no answer in time, no connection, or a 5xx.
    """
    import requests

    from coinrequest.user_agent import user_agent

    deadline = time.monotonic() + timeout
    try:
        with requests.Session() as session:
            session.trust_env = False  # neither proxies nor .netrc of whoever runs the agent
            session.headers["User-Agent"] = user_agent()
            with session.get(
                url,
                params=params,
                timeout=(min(CONNECT_TIMEOUT_SECONDS, timeout), timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                _check_status(source, response)
                body = _read(source, response, deadline, timeout)
    except requests.Timeout as error:
        raise PriceUnavailable(source, f"no answer within {timeout:g} seconds") from error
    except requests.RequestException as error:
        raise PriceUnavailable(source, f"the request failed: {error}") from error
    return Answer(response.status_code, _parse(source, body), datetime.now(UTC))


def _read(source: str, response: "requests.Response", deadline: float, timeout: float) -> bytes:
    """Read the body piece by piece, because the library's own time-out starts again with every piece."""
    import urllib3

    body = bytearray()
    try:
        while piece := response.raw.read1(65_536, decode_content=True):
            body += piece
            if len(body) > BODY_LIMIT:
                raise BadResponse(source, f"the answer is longer than {BODY_LIMIT} bytes")
            if time.monotonic() > deadline:
                raise PriceUnavailable(source, f"no whole answer within {timeout:g} seconds")
    except urllib3.exceptions.ReadTimeoutError as error:
        raise PriceUnavailable(source, f"no whole answer within {timeout:g} seconds") from error
    except urllib3.exceptions.HTTPError as error:
        raise PriceUnavailable(source, f"the answer broke off: {error}") from error
    expected = response.headers.get("Content-Length", "")
    is_short = expected.isdigit() and "Content-Encoding" not in response.headers and len(body) < int(expected)
    if is_short:
        raise PriceUnavailable(source, "the answer broke off")
    return bytes(body)


def _check_status(source: str, response: "requests.Response") -> None:
    status = response.status_code
    if status == 429:
        raise RateLimited(source, "too many requests", _retry_after(response.headers.get("Retry-After")))
    if status >= 500 or status in {408, 425}:
        raise PriceUnavailable(source, f"it answered with status {status}")
    if 300 <= status < 400:
        raise BadResponse(source, f"it answered with a redirect to {response.headers.get('Location', '')[:200]!r}")


def _retry_after(value: str | None) -> float | None:
    """Read a Retry-After header (RFC 9110, 10.2.3): seconds, or a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _parse(source: str, body: bytes) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(body, parse_float=Decimal, parse_int=Decimal, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        start = body[:80].decode("utf-8", "replace")
        raise BadResponse(source, f"the answer is not JSON; it starts with {start!r}") from error
