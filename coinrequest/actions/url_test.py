"""`url.test`: whether a URL answers, how fast, and as it is expected to."""

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
    """The test did not pass, and `must_pass` was set."""


class UrlTestExpectations(ActionModel):
    """What must hold of the last answer for the test to pass."""

    status: str = Field(
        default="",
        max_length=200,
        description="statuses and ranges, separated by commas; empty: below 400",
        examples=["200", "2xx", "200-299,304"],
    )
    body_contains: str | None = Field(
        default=None, min_length=1, max_length=10_000, description="text that the body has in its first MiB"
    )
    body_matches: str | None = Field(
        default=None, max_length=MAX_PATTERN_LENGTH, description="RE2 expression that matches somewhere in it"
    )
    json_path: dict[str, Any] = Field(
        default={}, max_length=20, description="JSONPaths (RFC 9535), each with a value that it has to select"
    )
    json_exists: tuple[str, ...] = Field(
        default=(), strict=False, max_length=20, description="JSONPaths that have to select something"
    )
    headers: dict[str, str] = Field(
        default={}, max_length=20, description="names, each with an RE2 expression that matches somewhere in the value"
    )
    max_seconds: float | None = Field(
        default=None, gt=0, description="seconds that the last attempt, redirects included, may take"
    )
    certificate_days: float | None = Field(
        default=None, ge=0, description="days for which the server's certificate must still hold"
    )

    @field_validator("status", "body_matches", "json_path", "headers")
    @classmethod
    def _is_understood(cls, value: Any, info: ValidationInfo) -> Any:
        _understood(**{str(info.field_name): value})
        return value

    @field_validator("json_exists")
    @classmethod
    def _are_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        _understood(json_path=dict.fromkeys(paths))
        return paths

    def expectations(self) -> Expectations:
        """Return them as the URL test takes them."""
        fields = self.model_dump(exclude={"json_exists"})
        return Expectations(**{**fields, "json_path": dict.fromkeys(self.json_exists, ...) | self.json_path})


def _understood(**fields: Any) -> None:
    try:
        Expectations(**fields)
    except ValueError as error:
        # It begins with the field's name, which whoever reads this error sees anyway.
        raise ValueError(str(error).partition(": ")[2]) from error


class UrlTestInputs(ActionModel):
    """What to test, and how."""

    url: str = Field(
        min_length=1,
        max_length=MAX_URL_LENGTH,
        description="http or https; without a scheme it is http",
        examples=["https://example.org/"],
    )
    method: Method = Field(default="GET", description="upper case")
    headers: dict[str, str] = Field(
        default={}, max_length=MAX_HEADERS, description="names and values; no secrets, for they are stored with the job"
    )
    body: str | None = Field(default=None, max_length=MAX_BODY_BYTES, description="text to send, as UTF-8")
    attempts: int = Field(
        default=url_test.ATTEMPTS,
        ge=1,
        le=10,
        description="how often the URL is requested at most, until the status is below 400 or the one that is expected",
    )
    retry_errors: bool = Field(
        default=False, description="whether an attempt that got no answer is followed by another one"
    )
    timeout: float = Field(
        default=url_test.TIMEOUT_SECONDS,
        gt=0,
        le=300,
        description="seconds for one attempt, its redirects included",
    )
    connect_timeout: float | None = Field(
        default=None, gt=0, le=300, description="of these, seconds until the connection stands; null: no own limit"
    )
    redirect_limit: int = Field(
        default=REDIRECT_LIMIT, ge=0, le=20, description="how many redirects an attempt follows; 0: one is the answer"
    )
    ip_version: Literal[4, 6] | None = Field(default=None, description="4 or 6: connect only so; null: either")
    verify_tls: bool = Field(default=True, description="false accepts any certificate")
    expect: UrlTestExpectations = Field(
        default=UrlTestExpectations(), description="what must hold of the last answer for the test to pass"
    )
    must_pass: bool = Field(
        default=False, description="whether the task fails if the test does not pass; else that is a result too"
    )

    @field_validator("headers")
    @classmethod
    def _headers_are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        check_headers(headers)
        return headers

    @field_validator("body")
    @classmethod
    def _head_has_no_body(cls, body: str | None, info: ValidationInfo) -> str | None:
        if body is not None and info.data.get("method") == "HEAD":
            raise ValueError("a HEAD request carries no body; choose another method, or leave the body out")
        return body


Seconds = Annotated[float, AfterValidator(lambda value: round(value, 6))]


class _Seen(ActionModel):
    """A model that is made of what the URL test saw."""

    model_config = ConfigDict(from_attributes=True)


class UrlTestPhases(_Seen):
    """Where time went, in seconds; the parts add up to the total."""

    resolve: Seconds = Field(description="name resolution")
    connect: Seconds = Field(description="TCP connection")
    tls: Seconds = Field(description="TLS handshake; 0 without TLS")
    first_byte: Seconds = Field(description="from the connection ready to the first byte of the answer")
    transfer: Seconds = Field(description="from there to the last byte that was read")
    total: Seconds = Field(description="everything")


class UrlTestRedirect(_Seen):
    """One redirect on the way."""

    url: str = Field(description="the URL that answered")
    status: int = Field(description="its status")
    location: str = Field(description="where it pointed")
    phases: UrlTestPhases = Field(description="times of this redirect alone, in seconds")
    remote_address: str = Field(description="the address and port that answered")


class UrlTestCertificate(_Seen):
    """A server's certificate."""

    subject: str = Field(description="whom it is for")
    issuer: str = Field(description="who signed it")
    names: tuple[str, ...] = Field(strict=False, description="host names and addresses that it holds for")
    not_before: datetime = Field(strict=False, description="when it begins to hold, UTC")
    not_after: datetime = Field(strict=False, description="when it ends to hold, UTC")
    days_left: Seconds = Field(description="days until then, at the time of the test; negative if it is over")
    verified: bool = Field(description="whether it was checked, and trusted")


class UrlTestResult(_Seen):
    """What the test saw."""

    url: str = Field(description="the URL that was tested, with its scheme")
    result: str = Field(description="the last status code, or the error's text", examples=["200"])
    status: int | None = Field(description="the last status code; null if no answer came")
    error: str | None = Field(description="why no answer came; null if one came")
    passed: bool = Field(description="whether an answer came and everything that was expected of it holds")
    failed_expectations: tuple[str, ...] = Field(
        strict=False, description="what does not hold, each with what was seen instead"
    )
    attempts: int = Field(description="how many requests were made, redirects not counted")
    tested_at: datetime = Field(strict=False, description="when the test began, UTC")
    phases: UrlTestPhases | None = Field(
        description="times of the last attempt in seconds, summed over its redirects; null if no answer came"
    )
    redirects: tuple[UrlTestRedirect, ...] = Field(strict=False, description="the redirects of the last attempt")
    http_version: str = Field(description="1.0, 1.1, 2 or 3; empty if no answer came")
    remote_address: str = Field(description="the address and port of the last connection; empty if there was none")
    certificate: UrlTestCertificate | None = Field(
        description="of the server that answered last, also if it was refused; null without TLS"
    )
    size: int = Field(description="bytes of the body that were received, at most a MiB, content encoding undone")
    truncated: bool = Field(description="whether the body was longer")
    final_url: str = Field(description="the URL that was requested last, without user and password")


class UrlTestAction(Action[UrlTestInputs, UrlTestResult]):
    """Request a URL until it answers with a status below 400, three times at most unless told otherwise.

    A URL that answers badly, fails or is refused is a result, not a failure: the test was done. With `must_pass` it
    is a failure. Addresses that are not public are refused unless the administrator allows them.
    """

    name: ClassVar[str] = "url.test"
    summary: ClassVar[str] = "Test whether a URL answers, how fast, and as it is expected to"
    Inputs: ClassVar[type[BaseModel]] = UrlTestInputs
    Result: ClassVar[type[BaseModel]] = UrlTestResult
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (UrlTestFailed,)

    def run(self, inputs: UrlTestInputs) -> UrlTestResult:
        """Test the URL.

        Raises:
            UrlTestFailed: the test did not pass, and `must_pass` is set.
        """

        def report(attempt: int) -> None:
            if attempt > 1:  # that the first is being made goes without saying, and most tests need no other
                self.context.report(attempt - 1, inputs.attempts, f"attempt {attempt} of {inputs.attempts}")

        plan = _plan(inputs)
        seen = perform(url_test.url_test_steps(inputs.url, plan, report), plan.address_guard)
        if inputs.must_pass and not seen.passed:
            # Unlike the URL as it was given, the last one is without a password.
            where = f"{seen.final_url}: " if seen.final_url else ""
            raise UrlTestFailed(where + (seen.error or "; ".join(seen.failed_expectations)))
        return UrlTestResult.model_validate(seen)


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
