"""`url.test`: test whether a URL responds, how fast, and whether the response is the expected one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.http.headers import MAX_HEADERS, PLAIN_TEXT, check_headers, with_content_type
from coinrequest.http.messages import REDIRECT_LIMIT
from coinrequest.http.target import MAX_URL_LENGTH
from coinrequest.http.transport import perform
from coinrequest.limits import MAX_BODY_BYTES
from coinrequest.urltest import url_test
from coinrequest.urltest.expectations import MAX_PATTERN_LENGTH, Expectations
from coinrequest.urltest.plan import Method, Plan


class UrlTestFailed(ActionFailed):
    """The test failed, and `must_pass` is set."""


class UrlTestExpectations(ActionModel):
    """What the last response must fulfil for the test to pass."""

    status: str = Field(
        default="",
        max_length=200,
        description="statuses and ranges, separated by commas; empty for all below 400",
        examples=["200", "2xx", "200-299,304"],
    )
    body_contains: str | None = Field(
        default=None, min_length=1, max_length=10_000, description="a text that the first MiB of the body contains"
    )
    body_matches: str | None = Field(
        default=None,
        max_length=MAX_PATTERN_LENGTH,
        description="an RE2 expression that matches somewhere in the first MiB",
    )
    json_path: dict[str, Any] = Field(
        default={}, max_length=20, description="JSONPaths (RFC 9535), each with a value that it must select"
    )
    json_exists: tuple[str, ...] = Field(
        default=(), strict=False, max_length=20, description="JSONPaths that must select something"
    )
    headers: dict[str, str] = Field(
        default={},
        max_length=20,
        description="header names, each with an RE2 expression that matches somewhere in the value",
    )
    max_seconds: float | None = Field(
        default=None, gt=0, description="the longest duration of the last attempt in seconds, including redirects"
    )
    certificate_days: float | None = Field(
        default=None, ge=0, description="days for which the certificate of the server must still be valid"
    )

    @field_validator("status", "body_matches", "json_path", "headers")
    @classmethod
    def _is_valid(cls, value: Any, info: ValidationInfo) -> Any:
        _check(**{str(info.field_name): value})
        return value

    @field_validator("json_exists")
    @classmethod
    def _are_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        _check(json_path=dict.fromkeys(paths))
        return paths

    def expectations(self) -> Expectations:
        """Convert them to the expectations of the URL test."""
        fields = self.model_dump(exclude={"json_exists"})
        return Expectations(**{**fields, "json_path": dict.fromkeys(self.json_exists, ...) | self.json_path})


def _check(**fields: Any) -> None:
    try:
        Expectations(**fields)
    except ValueError as error:
        # The message starts with the name of the field, which pydantic adds too.
        raise ValueError(str(error).partition(": ")[2]) from error


class UrlTestInputs(ActionModel):
    """The inputs of `url.test`."""

    url: str = Field(
        min_length=1,
        max_length=MAX_URL_LENGTH,
        description="an http or https URL; http:// is added if it has no scheme",
        examples=["https://example.org/"],
    )
    method: Method = Field(default="GET", description="the method, in upper case")
    headers: dict[str, str] = Field(
        default={}, max_length=MAX_HEADERS, description="names and values; do not use secrets, because they are stored"
    )
    body: str | None = Field(
        default=None, max_length=MAX_BODY_BYTES, description="a text to send in UTF-8, at most 1 MiB"
    )
    attempts: int = Field(
        default=url_test.ATTEMPTS,
        ge=1,
        le=10,
        description="the maximum number of requests until the status is below 400 or an expected one",
    )
    retry_errors: bool = Field(default=False, description="whether to try again after connection errors too")
    timeout: float = Field(
        default=url_test.TIMEOUT_SECONDS,
        gt=0,
        le=300,
        description="seconds for one attempt, including redirects",
    )
    connect_timeout: float | None = Field(
        default=None, gt=0, le=300, description="seconds to connect, within timeout; null for no limit of its own"
    )
    redirect_limit: int = Field(
        default=REDIRECT_LIMIT,
        ge=0,
        le=20,
        description="the number of redirects to follow; with 0 a redirect is the response",
    )
    ip_version: Literal[4, 6] | None = Field(default=None, description="4 or 6 to connect over that version only")
    verify_tls: bool = Field(default=True, description="whether to verify the certificate")
    expect: UrlTestExpectations = Field(
        default=UrlTestExpectations(), description="what the last response must fulfil for the test to pass"
    )
    must_pass: bool = Field(
        default=False, description="whether the task fails if the test fails; otherwise a failed test is a result"
    )

    @field_validator("headers")
    @classmethod
    def _headers_are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        check_headers(headers)
        return headers

    @field_validator("body")
    @classmethod
    def _body_can_be_sent(cls, body: str | None, info: ValidationInfo) -> str | None:
        if body is not None and info.data.get("method") == "HEAD":
            raise ValueError("a HEAD request has no body; choose another method, or leave the body out")
        if body is not None and (size := len(body.encode())) > MAX_BODY_BYTES:
            raise ValueError(f"has {size:,} bytes in UTF-8; at most {MAX_BODY_BYTES:,} are sent")
        return body


Seconds = Annotated[float, AfterValidator(lambda value: round(value, 6))]


class _FromAttributes(ActionModel):
    """A model that is created from a result of the URL test."""

    model_config = ConfigDict(from_attributes=True)


class UrlTestPhases(_FromAttributes):
    """The phases of a request in seconds; they add up to the total."""

    resolve: Seconds = Field(description="name resolution")
    connect: Seconds = Field(description="TCP connection")
    tls: Seconds = Field(description="TLS handshake; 0 without TLS")
    first_byte: Seconds = Field(description="from the established connection to the first byte of the response")
    transfer: Seconds = Field(description="from the first byte to the last byte that was read")
    total: Seconds = Field(description="the whole request")


class UrlTestRedirect(_FromAttributes):
    """A redirect that was followed."""

    url: str = Field(description="the URL that redirected")
    status: int = Field(description="the HTTP status")
    location: str = Field(description="the header Location")
    phases: UrlTestPhases = Field(description="the phases of this redirect alone, in seconds")
    remote_address: str = Field(description="the address and port of the server")


class UrlTestCertificate(_FromAttributes):
    """The certificate of a server."""

    subject: str = Field(description="the owner")
    issuer: str = Field(description="the authority that signed it")
    names: tuple[str, ...] = Field(strict=False, description="host names and addresses for which it is valid")
    not_before: datetime = Field(strict=False, description="the start of its validity, in UTC")
    not_after: datetime = Field(strict=False, description="the end of its validity, in UTC")
    days_left: Seconds = Field(description="days until it expires, at the time of the test; negative if it has expired")
    verified: bool = Field(description="whether it was verified successfully")


class UrlTestResult(_FromAttributes):
    """The result of `url.test`."""

    url: str = Field(description="the tested URL, with its scheme")
    result: str = Field(description="the last status or the error, as text", examples=["200"])
    status: int | None = Field(description="the last status; null if there was no response")
    error: str | None = Field(description="why there was no response; null if there was one")
    passed: bool = Field(description="whether there was a response and it met all expectations")
    failed_expectations: tuple[str, ...] = Field(
        strict=False, description="the expectations that failed, each with the actual value"
    )
    attempts: int = Field(description="the number of requests, without redirects")
    tested_at: datetime = Field(strict=False, description="when the test started, in UTC")
    phases: UrlTestPhases | None = Field(
        description="the phases of the last attempt in seconds, including redirects; null if there was no response"
    )
    redirects: tuple[UrlTestRedirect, ...] = Field(strict=False, description="the redirects of the last attempt")
    http_version: str = Field(description="1.0, 1.1, 2 or 3; empty if there was no response")
    remote_address: str = Field(description="the address and port of the last connection; empty if there was none")
    certificate: UrlTestCertificate | None = Field(
        description="the certificate of the last server, even if it was refused; null without TLS"
    )
    size: int = Field(description="bytes of the decoded body that were received, at most 1 MiB")
    truncated: bool = Field(description="whether the body was longer")
    final_url: str = Field(description="the last requested URL, without user name and password")


class UrlTestAction(Action[UrlTestInputs, UrlTestResult]):
    """Request a URL until its status is below 400 or an expected one, by default up to three times.

    A failed test is a result and not a failure of the task, unless `must_pass` is set. Addresses that are not public
    are refused, unless the administrator allows them.
    """

    name: ClassVar[str] = "url.test"
    summary: ClassVar[str] = "Test whether a URL responds, how fast, and as expected"
    Inputs: ClassVar[type[BaseModel]] = UrlTestInputs
    Result: ClassVar[type[BaseModel]] = UrlTestResult
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (UrlTestFailed,)

    def run(self, inputs: UrlTestInputs) -> UrlTestResult:
        """Test the URL.

        Raises:
            UrlTestFailed: the test failed, and `must_pass` is set.
        """

        def report(attempt: int) -> None:
            if attempt > 1:  # most tests need one attempt, which is not worth a report
                self.context.report(attempt - 1, inputs.attempts, f"attempt {attempt} of {inputs.attempts}")

        plan = _plan(inputs)
        test = perform(url_test.url_test_steps(inputs.url, plan, report), plan.address_guard)
        if inputs.must_pass and not test.passed:
            raise UrlTestFailed(_reason(test))
        return UrlTestResult.model_validate(test)


def _reason(test: url_test.UrlTest) -> str:
    # Unlike the URL of the inputs, the final URL has no password.
    reason = f"{test.final_url}: " if test.final_url else ""
    reason += test.error or "; ".join(test.failed_expectations)
    # A task that fails has no result that would show the certificate.
    if test.error and test.certificate is not None and not test.certificate.verified:
        until, left = test.certificate.not_after, test.certificate.days_left
        reason += f"; its certificate is valid until {until:%Y-%m-%d}, {left:.1f} days are left"
    return reason


def _plan(inputs: UrlTestInputs) -> Plan:
    fields: Mapping[str, Any] = {
        name: getattr(inputs, name)
        for name in ("method", "attempts", "retry_errors", "timeout", "connect_timeout", "redirect_limit")
    }
    return Plan(
        **fields,
        headers=inputs.headers if inputs.body is None else with_content_type(inputs.headers, PLAIN_TEXT),
        body=inputs.body.encode() if inputs.body is not None else None,
        ip_version=inputs.ip_version,
        verify_tls=inputs.verify_tls,
        expect=inputs.expect.expectations(),
    )
