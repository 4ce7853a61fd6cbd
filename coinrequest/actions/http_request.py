"""`http.request`: send one HTTP request and hand on the answer."""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.actions.context import ConnectionUnavailable
from coinrequest.actions.http_connection import Access, access
from coinrequest.actions.masking import Masking
from coinrequest.http.errors import RequestFailed
from coinrequest.http.guard import configured_guard
from coinrequest.http.headers import PLAIN_TEXT, check_headers, with_content_type
from coinrequest.http.messages import REDIRECT_LIMIT, Request, Response
from coinrequest.http.target import MAX_URL_LENGTH
from coinrequest.http.transport import send
from coinrequest.limits import MAX_BODY_BYTES
from coinrequest.urltest import json_path
from coinrequest.urltest.expectations import Expectations, text_of

BODY_LIMIT = 262_144


class HttpRequestFailed(ActionFailed):
    """No answer came: nobody listens, the time is over, TLS failed, or the URL or its address is refused.

    Attributes:
        status: the status, or None if no answer came.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class HttpUnexpectedStatus(HttpRequestFailed):
    """The answer has a status that is not among the expected ones."""


class HttpExtractFailed(HttpRequestFailed):
    """The answer is no JSON to extract from, or has nothing where something is required."""


class HttpConnectionUnusable(HttpRequestFailed):
    """There is no such connection, it is of another kind, or it is not for this URL."""


class _WithJson(ActionModel):
    """A model with a field that is called `json` outside, where the name is taken inside."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_alias=True)


_Statuses = Annotated[tuple[int | str, ...], Field(strict=False, min_length=1, max_length=50)]
_QueryValue = str | int | float | bool | None
_QueryValues = Annotated[tuple[_QueryValue, ...], Field(strict=False, max_length=100)]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]


class HttpRequestInputs(_WithJson):
    """What to send, and what to expect."""

    url: str = Field(
        min_length=1,
        max_length=MAX_URL_LENGTH,
        description="absolute, http or https; with a connection also a path, joined to the connection's own URL",
        examples=["https://example.org/orders", "/orders/1"],
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        default="GET", description="upper case"
    )
    query: dict[str, _QueryValue | _QueryValues] = Field(
        default={},
        max_length=100,
        description="added to the URL, encoded; a list gives a name several times, null leaves it out",
        examples=[{"since": "2026-01-01", "state": ["open", "paid"]}],
    )
    headers: dict[str, str] = Field(
        default={}, max_length=50, description="names and values; no secrets, for they are stored with the job"
    )
    body: str | None = Field(
        default=None, max_length=MAX_BODY_BYTES, description="text to send; not together with json"
    )
    json_body: Any = Field(default=None, alias="json", description="a document to send as JSON; null sends none")
    connection: str | None = Field(
        default=None,
        min_length=1,
        max_length=250,
        description="an Airflow connection of kind http, whose credentials are sent to its own origin only",
    )
    timeout: float = Field(default=30.0, gt=0, le=300, description="seconds for everything, redirects included")
    redirect_limit: int = Field(
        default=REDIRECT_LIMIT, ge=0, le=20, description="how many redirects are followed; with 0 one is the answer"
    )
    expected_status: Annotated[str, Field(min_length=1, max_length=500)] | _Statuses | None = Field(
        default=None,
        description="what counts as success: 200, 2xx, 200-299,304, or a list of such; null: all below 400",
        examples=["2xx", [200, 404]],
    )
    extract: dict[_Name, str] = Field(
        default={},
        max_length=50,
        description="names, and the JSONPaths (RFC 9535) of what they stand for in the answer",
        examples=[{"id": "$.order.id", "prices": "$.items[*].price"}],
    )
    extract_required: bool = Field(default=False, description="whether a path that selects nothing is a failure")

    @field_validator("headers")
    @classmethod
    def _headers_are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        check_headers(headers)
        return headers

    @field_validator("expected_status")
    @classmethod
    def _statuses_are_statuses(cls, expected: str | tuple[int | str, ...] | None) -> str | tuple[int | str, ...] | None:
        Expectations(status=_written(expected))
        return expected

    @field_validator("extract")
    @classmethod
    def _paths_are_paths(cls, extract: dict[str, str]) -> dict[str, str]:
        for path in extract.values():
            json_path.check(path)
        return extract

    @model_validator(mode="after")
    def _fits_together(self) -> "HttpRequestInputs":
        if self.body is not None and self.json_body is not None:
            raise ValueError("give body or json, not both")
        if self.connection is None and self.url.startswith("/") and not self.url.startswith("//"):
            raise ValueError("url: a path needs a connection; without one give an absolute URL")
        return self


class HttpRequestResult(_WithJson):
    """What came back. Secrets of the connection are replaced by three asterisks."""

    status: int = Field(description="HTTP status")
    headers: dict[str, str] = Field(description="names in lower case; repeated ones are joined with a comma")
    body: str = Field(description="text, at most 256 KiB")
    truncated: bool = Field(description="whether the body was longer")
    json_body: Any = Field(default=None, alias="json", description="the body's document, if it is JSON and not cut")
    extracted: dict[str, Any] = Field(
        description="by name: the value of a path of names and indexes, or null; of any other path the list of values"
    )


class HttpRequest(Action[HttpRequestInputs, HttpRequestResult]):
    """Send one HTTP request. It fails if no answer comes, or one with a status that is not expected.

    Addresses that are not public are refused unless the administrator allows them. A redirect to another server
    carries no header that could be a secret. TLS is always verified.
    """

    name: ClassVar[str] = "http.request"
    summary: ClassVar[str] = "Send an HTTP request and hand on the answer"
    Inputs: ClassVar[type[BaseModel]] = HttpRequestInputs
    Result: ClassVar[type[BaseModel]] = HttpRequestResult
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (
        HttpRequestFailed,
        HttpUnexpectedStatus,
        HttpExtractFailed,
        HttpConnectionUnusable,
    )

    def run(self, inputs: HttpRequestInputs) -> HttpRequestResult:
        """Send the request.

        Raises:
            HttpRequestFailed: no answer came, or one that is not what the inputs expect; its subclass says which.
        """
        headers, body = _content(inputs)
        granted = self._access(inputs, headers)
        request = Request(
            url=_with_query(granted.url, inputs.query),
            method=inputs.method,
            headers=granted.headers,
            body=body,
            timeout=inputs.timeout,
            redirect_limit=inputs.redirect_limit,
            body_limit=MAX_BODY_BYTES,  # the JSON to extract from may be longer than what the result shows
        )
        try:
            response = send(request, configured_guard())
        except RequestFailed as error:
            # Without its cause: where a redirect leads can repeat a secret.
            raise HttpRequestFailed(granted.masking.text(str(error))) from None
        return _result(inputs, response, granted.masking)

    def _access(self, inputs: HttpRequestInputs, headers: Mapping[str, str]) -> Access:
        if inputs.connection is None:
            return Access(inputs.url, headers, Masking())
        try:
            return access(self.context.connection(inputs.connection), inputs.url, headers)
        except ConnectionUnavailable as error:
            raise HttpConnectionUnusable(str(error)) from error


def _result(inputs: HttpRequestInputs, response: Response, masking: Masking) -> HttpRequestResult:
    text, document = _read(response, masking)
    expected = _written(inputs.expected_status)
    if not Expectations(status=expected).accepts_status(response.status):
        raise HttpUnexpectedStatus(
            f"{inputs.method} {masking.text(response.url)} answered with status {response.status}, "
            f"expected {expected or 'below 400'}: {text[:300]!r}",
            response.status,
        )
    extracted = _extracted(inputs, response, document)
    shown = text.encode("utf-8", "replace")
    truncated = response.truncated or len(shown) > BODY_LIMIT
    return HttpRequestResult(
        status=response.status,
        headers={name: masking.text(value) for name, value in response.headers.items()},
        body=shown[:BODY_LIMIT].decode("utf-8", "ignore"),
        truncated=truncated,
        json=None if truncated or document is ... else document,
        extracted=extracted,
    )


def _read(response: Response, masking: Masking) -> tuple[str, Any]:
    """Return the body as text and as a document, without secrets; the document is `...` if there is none."""
    text = text_of(response)
    document: Any = ...
    if not response.truncated:
        try:
            found = json.loads(text, parse_constant=_finite, parse_float=_finite)
            document = masking.document(found)
            if document != found:
                text = json.dumps(document, ensure_ascii=False)  # JSON has many spellings of one text
        except (ValueError, RecursionError):
            pass
    return masking.text(text), document


def _extracted(inputs: HttpRequestInputs, response: Response, document: Any) -> dict[str, Any]:
    if not inputs.extract:
        return {}
    if document is ...:
        why = f"is longer than {MAX_BODY_BYTES} bytes" if response.truncated else "is no JSON"
        raise HttpExtractFailed(f"nothing can be extracted: the answer {why}", response.status)
    extracted: dict[str, Any] = {}
    for name, path in inputs.extract.items():
        try:
            found = json_path.find(path, document)
        except ValueError as error:
            raise HttpExtractFailed(f"extract.{name}: {error}", response.status) from error
        if not found and inputs.extract_required:
            raise HttpExtractFailed(f"extract.{name}: {path!r} selects nothing in the answer", response.status)
        extracted[name] = next(iter(found), None) if json_path.selects_one(path) else found
    return extracted


def _written(expected: str | tuple[int | str, ...] | None) -> str:
    """Return expected statuses as one text, which is empty if there are none."""
    return ",".join(map(str, expected)) if isinstance(expected, tuple) else expected or ""


def _with_query(url: str, query: Mapping[str, Any]) -> str:
    pairs = [
        (name, str(value).lower() if isinstance(value, bool) else value)
        for name, values in query.items()
        for value in (values if isinstance(values, tuple) else (values,))
        if value is not None
    ]
    if not pairs:
        return url
    before, _, _ = url.partition("#")  # a fragment is never sent
    return f"{before}{'&' if '?' in before else '?'}{urlencode(pairs)}"


def _content(inputs: HttpRequestInputs) -> tuple[Mapping[str, str], bytes | None]:
    if inputs.json_body is not None:
        document = json.dumps(inputs.json_body, ensure_ascii=False).encode()
        return with_content_type(inputs.headers, "application/json"), document
    if inputs.body is not None:
        return with_content_type(inputs.headers, PLAIN_TEXT), inputs.body.encode()
    return inputs.headers, None


def _finite(number: str) -> float:
    """Read a number; NaN and what is too large, which becomes infinite, could not be stored with the result."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is no number of JSON")
    return value
