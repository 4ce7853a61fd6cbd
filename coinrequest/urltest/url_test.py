"""The URL test: a request, tried a few times until the server is content, and what was seen."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Unpack

from coinrequest.http.certificate import Certificate
from coinrequest.http.errors import RequestFailed, UrlRefused
from coinrequest.http.messages import Hop, Phases, Response
from coinrequest.http.redirects import Steps, follow_redirects
from coinrequest.http.target import with_scheme
from coinrequest.http.transport import perform
from coinrequest.urltest.plan import ATTEMPTS, TIMEOUT_SECONDS, Options, Plan

__all__ = ["ATTEMPTS", "TIMEOUT_SECONDS", "UrlTest", "test_url", "url_test_steps"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlTest:
    """What a test saw.

    Attributes:
        url: the URL that was tested, with its scheme.
        result: the last status code as text, or the error's text.
        status: the last status code; None if no answer came.
        error: why no answer came; None if one came.
        passed: whether an answer came and everything that was expected of it holds.
        failed_expectations: what does not hold, each with what was seen instead; none if no answer came.
        attempts: how many requests were made, redirects not counted.
        tested_at: when the test began, UTC.
        phases: where the time of the last attempt went, in seconds; None if no answer came.
        redirects: the hops of the last attempt.
        http_version: of the last answer: `1.0`, `1.1`, `2` or `3`; empty if no answer came.
        remote_address: what was connected to last, such as `192.0.2.1:443` or `[2001:db8::1]:443`; empty if nothing.
        certificate: of the server that answered last, also if it was refused; None without TLS.
        size: bytes of the last answer's body that were received, after decoding its content encoding.
        truncated: whether the body was longer.
        final_url: the URL that was requested last, without user information.
    """

    url: str
    result: str
    status: int | None
    error: str | None
    passed: bool
    failed_expectations: tuple[str, ...]
    attempts: int
    tested_at: datetime
    phases: Phases | None
    redirects: tuple[Hop, ...]
    http_version: str
    remote_address: str
    certificate: Certificate | None
    size: int
    truncated: bool
    final_url: str


def test_url(url: str, **options: Unpack[Options]) -> UrlTest:
    """Test a URL: request it, up to three times, until the status is below 400.

    Only an answer that is not good enough is asked for again: an error of the connection ends the test, so that a
    server that hangs takes one time-out and not several, unless `retry_errors` says otherwise. A URL or an address
    that is refused is never tried again.

    Args:
        url: http or https; without a scheme it is http.
        options: `Plan` describes them.

    Returns:
        What was seen. A failure is a result too, never an exception.

    Raises:
        ValueError: an option cannot be used; nothing was opened.
    """
    plan = Plan(**options)
    return perform(url_test_steps(url, plan), plan.address_guard)


# Whoever imports it into a module of tests has a function to call there, not one more test.
test_url.__test__ = False  # type: ignore[attr-defined]


def url_test_steps(url: str, plan: Plan, on_attempt: Callable[[int], None] | None = None) -> Steps[UrlTest]:
    """Make the exchanges of a test (see `redirects`) and return what was seen.

    Args:
        url: as a person wrote it.
        plan: how it is tested.
        on_attempt: is called before each attempt, with its number, from 1.
    """
    url = with_scheme(url)
    tested_at = datetime.now(UTC)
    request = plan.request(url)
    made = 0
    while True:
        made += 1
        if on_attempt is not None:
            on_attempt(made)
        try:
            response = yield from follow_redirects(request)
        except RequestFailed as error:
            _logger.info("attempt %d of %d: %s", made, plan.attempts, error)
            if made >= plan.attempts or not plan.retry_errors or isinstance(error, UrlRefused):
                return _failed(url, error, made, tested_at)
        else:
            _logger.info("attempt %d of %d: status %d", made, plan.attempts, response.status)
            if made >= plan.attempts or plan.expect.accepts_status(response.status):
                return _answered(url, response, plan.expect.failures(response), made, tested_at)


def _failed(url: str, error: RequestFailed, attempts: int, tested_at: datetime) -> UrlTest:
    return UrlTest(
        url=url,
        result=str(error),
        status=None,
        error=str(error),
        passed=False,
        failed_expectations=(),
        attempts=attempts,
        tested_at=tested_at,
        phases=None,
        redirects=error.redirects,
        http_version="",
        remote_address=error.remote_address,
        certificate=error.certificate,
        size=0,
        truncated=False,
        final_url=error.url,
    )


def _answered(url: str, response: Response, failures: tuple[str, ...], attempts: int, tested_at: datetime) -> UrlTest:
    return UrlTest(
        url=url,
        result=str(response.status),
        status=response.status,
        error=None,
        passed=not failures,
        failed_expectations=failures,
        attempts=attempts,
        tested_at=tested_at,
        phases=response.phases,
        redirects=response.redirects,
        http_version=response.http_version,
        remote_address=response.remote_address,
        certificate=response.certificate,
        size=len(response.body),
        truncated=response.truncated,
        final_url=response.url,
    )
