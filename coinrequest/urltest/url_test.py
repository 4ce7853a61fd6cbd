"""The URL test: a GET, tried a few times until the server is content, and what was seen."""

# ruff: noqa: PT028 - `test_url` tests a URL; it is not a test of this project

import logging
from dataclasses import dataclass

from coinrequest import settings
from coinrequest.urltest.errors import RequestFailed
from coinrequest.urltest.guard import AddressGuard
from coinrequest.urltest.target import with_scheme
from coinrequest.urltest.transport import REDIRECT_LIMIT, Hop, Phases, Request, Response, send

_logger = logging.getLogger(__name__)

ATTEMPTS = 3
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlTest:
    """What a test saw.

    Attributes:
        url: the URL that was tested, with its scheme.
        result: the last status code as text, or the error's text.
        status: the last status code; None if no answer came.
        attempts: how many requests were made.
        phases: where the time of the last attempt went, in seconds; None if no answer came.
        redirects: the hops of the last attempt.
    """

    url: str
    result: str
    status: int | None
    attempts: int
    phases: Phases | None
    redirects: tuple[Hop, ...]


def test_url(
    url: str,
    *,
    attempts: int = ATTEMPTS,
    timeout: float = TIMEOUT_SECONDS,
    redirect_limit: int = REDIRECT_LIMIT,
    guard: AddressGuard | None = None,
) -> UrlTest:
    """Test a URL: GET it, up to `attempts` times, until the status is below 400.

    Only an answer that is not good enough is asked for again: an error of the connection or a URL that is refused
    ends the test, so that a server that hangs takes one time-out and not several.

    Args:
        url: http or https; without a scheme it is http.
        attempts: at least 1.
        timeout: seconds for one attempt, redirects included.
        redirect_limit: how many redirects an attempt follows.
        guard: None: the one that the settings describe.

    Returns:
        What was seen. A failure is a result too, never an exception.
    """
    url = with_scheme(url)
    guard = guard if guard is not None else AddressGuard(settings.allowed_networks())
    made = 0
    response: Response | None = None
    while made < attempts and (response is None or response.status >= 400):
        made += 1
        try:
            request = Request(url=url, timeout=timeout, redirect_limit=redirect_limit)
            response = send(request, guard)
        except RequestFailed as error:
            _logger.info("attempt %d of %d: %s", made, attempts, error)
            return UrlTest(url=url, result=str(error), status=None, attempts=made, phases=None, redirects=())
        _logger.info("attempt %d of %d: status %d", made, attempts, response.status)
    if response is None:
        raise ValueError("attempts must be at least 1")
    return UrlTest(
        url=url,
        result=str(response.status),
        status=response.status,
        attempts=made,
        phases=response.phases,
        redirects=response.redirects,
    )
