"""The URL test: a request, repeated until its status is an expected one, and its result."""

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
from coinrequest.urltest.expectations import Expectations
from coinrequest.urltest.plan import ATTEMPTS, TIMEOUT_SECONDS, Options, Plan

__all__ = ["ATTEMPTS", "TIMEOUT_SECONDS", "UrlTest", "test_url", "url_test_steps"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlTest:
    """The result of a URL test.

    Attributes:
        url: the tested URL, with its scheme.
        result: the last status as text, or the error.
        status: the last status; None if there was no response.
        error: why there was no response; None if there was one.
        passed: whether there was a response and it met all expectations.
        failed_expectations: the expectations that failed, each with the actual value; empty if there was no response.
        attempts: the number of requests, without redirects.
        tested_at: when the test started, in UTC.
        phases: the phases of the last attempt, summed over its redirects; None if there was no response.
        redirects: the redirects of the last attempt.
        http_version: the version of the last response: `1.0`, `1.1`, `2` or `3`; empty if there was none.
        remote_address: the address of the last connection, such as `192.0.2.1:443` or `[2001:db8::1]:443`; empty if
            there was none.
        certificate: the certificate of the last server, even if it was refused; None without TLS.
        size: the number of bytes of the body that were received, after its content encoding was decoded.
        truncated: whether the body was longer.
        final_url: the last requested URL, without user information.
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
    """Test a URL: request it up to three times, until its status is below 400 or an expected one.

    A connection error ends the test, unless `retry_errors` is set, so that a server that hangs costs one time-out
    instead of several. A refused URL or address is never tried again.

    Args:
        url: an http or https URL; `http://` is added if it has no scheme.
        options: the options of `Plan`.

    Returns:
        The result. A failed test is a result too, not an exception.

    Raises:
        ValueError: an option is invalid; nothing was requested.
    """
    plan = Plan(**options)
    return perform(url_test_steps(url, plan), plan.address_guard)


# pytest must not collect it in the modules that import it.
test_url.__test__ = False  # type: ignore[attr-defined]


def url_test_steps(url: str, plan: Plan, on_attempt: Callable[[int], None] | None = None) -> Steps[UrlTest]:
    """Yield the exchanges of a test (see `redirects`) and return its result.

    Args:
        url: an http or https URL; `http://` is added if it has no scheme.
        plan: the options of the test.
        on_attempt: called before each attempt with its number, starting at 1.
    """
    url = with_scheme(url)
    tested_at = datetime.now(UTC)
    request = plan.request(url)
    attempt = 0
    while True:
        attempt += 1
        if on_attempt is not None:
            on_attempt(attempt)
        try:
            response = yield from follow_redirects(request)
        except RequestFailed as error:
            log.info("Attempt %d of %d: %s", attempt, plan.attempts, error)
            if attempt >= plan.attempts or not plan.retry_errors or isinstance(error, UrlRefused):
                return _failed(url, error, attempt, tested_at)
        except Exception as error:  # one odd response must not end the tests of a batch
            log.warning("The test of %s failed unexpectedly", url, exc_info=True)
            return _failed(url, RequestFailed(f"the test failed: {error!r}"), attempt, tested_at)
        else:
            log.info("Attempt %d of %d: status %d", attempt, plan.attempts, response.status)
            if attempt >= plan.attempts or plan.expect.accepts_status(response.status):
                return _responded(url, response, _failures(plan.expect, response), attempt, tested_at)


def _failures(expect: Expectations, response: Response) -> tuple[str, ...]:
    try:
        return expect.failures(response)
    except Exception as error:  # one odd response must not end the tests of a batch
        log.warning("The expectations of %s could not be checked", response.url, exc_info=True)
        return (f"the response could not be checked: {error!r}",)


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


def _responded(url: str, response: Response, failures: tuple[str, ...], attempts: int, tested_at: datetime) -> UrlTest:
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
