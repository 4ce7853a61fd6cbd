"""`url.test`: whether a URL answers, and how fast."""

from typing import ClassVar

from pydantic import BaseModel, Field

from coinrequest.actions.base import Action, ActionModel
from coinrequest.urltest import url_test
from coinrequest.urltest.target import MAX_URL_LENGTH
from coinrequest.urltest.transport import REDIRECT_LIMIT


class UrlTestInputs(ActionModel):
    """What to test."""

    url: str = Field(
        min_length=1,
        max_length=MAX_URL_LENGTH,
        description="http or https; without a scheme it is http",
        examples=["https://example.org/"],
    )
    attempts: int = Field(
        default=url_test.ATTEMPTS,
        ge=1,
        le=10,
        description="how often the URL is requested at most, until the status is below 400",
    )
    timeout: float = Field(
        default=url_test.TIMEOUT_SECONDS,
        gt=0,
        le=300,
        description="seconds for one attempt, its redirects included",
    )
    redirect_limit: int = Field(
        default=REDIRECT_LIMIT, ge=0, le=20, description="how many redirects an attempt follows"
    )


class UrlTestPhases(ActionModel):
    """Where the time of the last attempt went, in seconds, summed over its redirects."""

    resolve: float = Field(description="name resolution")
    connect: float = Field(description="TCP connection")
    tls: float = Field(description="TLS handshake; 0 without TLS")
    first_byte: float = Field(description="from the request sent to the first byte of the answer")
    total: float = Field(description="everything, the body included")


class UrlTestRedirect(ActionModel):
    """One redirect on the way."""

    url: str = Field(description="the URL that answered")
    status: int = Field(description="its status")
    location: str = Field(description="where it pointed")


class UrlTestResult(ActionModel):
    """What the test saw."""

    url: str = Field(description="the URL that was tested, with its scheme")
    result: str = Field(description="the last status code, or the error's text", examples=["200"])
    status: int | None = Field(description="the last status code; null if no answer came")
    attempts: int = Field(description="how many requests were made")
    phases: UrlTestPhases | None = Field(description="times in seconds; null if no answer came")
    redirects: tuple[UrlTestRedirect, ...] = Field(strict=False, description="the redirects of the last attempt")


class UrlTestAction(Action[UrlTestInputs, UrlTestResult]):
    """GET a URL until it answers with a status below 400, three times at most unless told otherwise.

    A URL that answers badly, fails or is refused is a result, not a failure: the test was done. Addresses that are
    not public are refused unless the administrator allows them.
    """

    name: ClassVar[str] = "url.test"
    summary: ClassVar[str] = "Test whether a URL answers, and how fast"
    Inputs: ClassVar[type[BaseModel]] = UrlTestInputs
    Result: ClassVar[type[BaseModel]] = UrlTestResult

    def run(self, inputs: UrlTestInputs) -> UrlTestResult:
        """Test the URL; this raises nothing for whatever the URL or its server does."""
        seen = url_test.test_url(
            inputs.url,
            attempts=inputs.attempts,
            timeout=inputs.timeout,
            redirect_limit=inputs.redirect_limit,
        )
        phases = seen.phases
        return UrlTestResult(
            url=seen.url,
            result=seen.result,
            status=seen.status,
            attempts=seen.attempts,
            phases=None
            if phases is None
            else UrlTestPhases(
                resolve=round(phases.resolve, 6),
                connect=round(phases.connect, 6),
                tls=round(phases.tls, 6),
                first_byte=round(phases.first_byte, 6),
                total=round(phases.total, 6),
            ),
            redirects=tuple(
                UrlTestRedirect(url=hop.url, status=hop.status, location=hop.location) for hop in seen.redirects
            ),
        )
