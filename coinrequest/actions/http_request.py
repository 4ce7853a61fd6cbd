"""`http.request`: send an HTTP request and return the response."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.actions.context import ConnectionUnavailable
from coinrequest.actions.http_body import fits, read_body
from coinrequest.actions.http_connection import AuthorizedRequest, authorize
from coinrequest.actions.masking import Masking
from coinrequest.http.errors import RequestFailed
from coinrequest.http.guard import configured_guard
from coinrequest.http.headers import PLAIN_TEXT, check_headers, with_content_type
from coinrequest.http.messages import REDIRECT_LIMIT, Request, Response
from coinrequest.http.redirects import becomes_get
from coinrequest.http.target import MAX_URL_LENGTH
from coinrequest.http.transport import send
from coinrequest.limits import MAX_BODY_BYTES, MAX_RESULT_BYTES
from coinrequest.urltest import json_path
from coinrequest.urltest.expectations import Expectations

BODY_LIMIT = 262_144
# A server does their work again if they are sent again (RFC 9110, 9.2.2; RFC 5789).
_NOT_REPEATABLE = ("POST", "PATCH")


class HttpRequestFailed(ActionFailed):
    """There was no response: the connection or TLS failed, the request timed out, or the URL or address was refused.

    Attributes:
        status: the status of the response, or None if there was none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class HttpUnexpectedStatus(HttpRequestFailed):
    """The response has an unexpected status."""


class HttpExtractFailed(HttpRequestFailed):
    """The response is not JSON, or a required value is missing."""


class HttpConnectionUnusable(HttpRequestFailed):
    """The connection does not exist, has another type, or is not valid for the URL."""


class _WithJson(ActionModel):
    """A model with a field `json`, which needs an alias because pydantic models have a method of this name."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_alias=True)


_Statuses = Annotated[tuple[int | str, ...], Field(strict=False, min_length=1, max_length=50)]
_QueryValue = str | int | float | bool | None
_QueryValues = Annotated[tuple[_QueryValue, ...], Field(strict=False, max_length=100)]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]


class HttpRequestInputs(_WithJson):
    """The inputs of `http.request`."""

    url: str = Field(
        min_length=1,
        max_length=MAX_URL_LENGTH,
        description="an absolute http or https URL; with a connection, also a path, which is joined to its URL",
        examples=["https://example.org/orders", "/orders/1"],
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        default="GET", description="the method, in upper case"
    )
    query: dict[str, _QueryValue | _QueryValues] = Field(
        default={},
        max_length=100,
        description="parameters to encode and add to the URL; a list repeats a name, null omits it",
        examples=[{"since": "2026-01-01", "state": ["open", "paid"]}],
    )
    headers: dict[str, str] = Field(
        default={}, max_length=50, description="names and values; do not use secrets, because they are stored"
    )
    body: str | None = Field(
        default=None, max_length=MAX_BODY_BYTES, description="a text to send, at most 1 MiB; not together with json"
    )
    json_body: Any = Field(
        default=None, alias="json", description="a document to send as JSON, at most 1 MiB; null sends none"
    )
    connection: str | None = Field(
        default=None,
        min_length=1,
        max_length=250,
        description="an Airflow connection of type http, whose credentials are sent to its own origin only",
    )
    timeout: float = Field(default=30.0, gt=0, le=300, description="seconds for everything, including redirects")
    redirect_limit: int = Field(
        default=REDIRECT_LIMIT,
        ge=0,
        le=20,
        description="the number of redirects to follow; with 0 a redirect is the response",
    )
    expected_status: Annotated[str, Field(min_length=1, max_length=500)] | _Statuses | None = Field(
        default=None,
        description="the statuses of success, such as 200, 2xx or 200-299,304, or a list; null for all below 400",
        examples=["2xx", [200, 404]],
    )
    extract: dict[_Name, str] = Field(
        default={},
        max_length=50,
        description="names, and the JSONPaths (RFC 9535) of the values to extract from the response",
        examples=[{"id": "$.order.id", "prices": "$.items[*].price"}],
    )
    extract_required: bool = Field(default=False, description="whether to fail if a path selects nothing")

    @field_validator("headers")
    @classmethod
    def _headers_are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        check_headers(headers)
        return headers

    @field_validator("expected_status")
    @classmethod
    def _statuses_are_statuses(cls, expected: str | tuple[int | str, ...] | None) -> str | tuple[int | str, ...] | None:
        Expectations(status=_status_text(expected))
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
        content = _content(self)[1]
        if content is not None and self.method == "HEAD":
            raise ValueError("a HEAD request has no body; choose another method, or leave body and json out")
        if content is not None and len(content) > MAX_BODY_BYTES:
            name = "body" if self.json_body is None else "json"
            raise ValueError(f"{name}: has {len(content):,} bytes in UTF-8; at most {MAX_BODY_BYTES:,} are sent")
        if self.connection is None and self.url.startswith("/") and not self.url.startswith("//"):
            raise ValueError("url: a path needs a connection; without a connection, give an absolute URL")
        return self


class HttpRequestResult(_WithJson):
    """The response. Secrets of the connection are replaced by three asterisks."""

    status: int = Field(description="the HTTP status")
    headers: dict[str, str] = Field(description="values by name in lower case; repeated headers are joined by commas")
    body: str = Field(description="the body as text, at most 256 KiB")
    charset: str = Field(
        default="utf-8", description="the character set of the body: the one that the response names, or UTF-8"
    )
    replaced: bool = Field(
        default=False,
        description="whether U+FFFD stands for bytes that are no text in this character set, or for characters that "
        "cannot be stored",
    )
    truncated: bool = Field(description="whether the body was longer")
    json_body: Any = Field(
        default=None, alias="json", description="the body, if it is JSON, not truncated and fits into the result"
    )
    extracted: dict[str, Any] = Field(
        description="by name, the value or null if the path has only names and indexes; otherwise the list of values"
    )


class HttpRequest(Action[HttpRequestInputs, HttpRequestResult]):
    """Send an HTTP request. It fails if there is no response or if the response has an unexpected status.

    Addresses that are not public are refused, unless the administrator allows them. A redirect to another origin drops
    the headers that may be secrets. TLS is always verified.
    """

    name: ClassVar[str] = "http.request"
    summary: ClassVar[str] = "Send an HTTP request and return the response"
    Inputs: ClassVar[type[BaseModel]] = HttpRequestInputs
    Result: ClassVar[type[BaseModel]] = HttpRequestResult
    connection_kinds: ClassVar[tuple[str, ...]] = ("http", "https")
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (
        HttpRequestFailed,
        HttpUnexpectedStatus,
        HttpExtractFailed,
        HttpConnectionUnusable,
    )

    def run(self, inputs: HttpRequestInputs) -> HttpRequestResult:
        """Send the request.

        Raises:
            HttpRequestFailed: there was no response, or, as a subclass says, not the expected one.
        """
        headers, body = _content(inputs)
        authorized = self._authorize(inputs, headers)
        request = Request(
            url=_with_query(authorized.url, inputs.query),
            method=inputs.method,
            headers=authorized.headers,
            body=body,
            timeout=inputs.timeout,
            redirect_limit=inputs.redirect_limit,
            body_limit=MAX_BODY_BYTES,  # the JSON to extract from may be longer than what the result shows
        )
        try:
            response = send(request, configured_guard())
        except RequestFailed as error:
            failure = HttpRequestFailed(authorized.masking.text(str(error)), error.status or None)
            failure.work_done = _was_done(inputs, error)
            # Without the cause, because the target of a redirect can repeat a secret.
            raise failure from None
        try:
            return _result(inputs, response, authorized.masking)
        except HttpExtractFailed as failure:
            failure.work_done = inputs.method in _NOT_REPEATABLE
            raise

    def _authorize(self, inputs: HttpRequestInputs, headers: Mapping[str, str]) -> AuthorizedRequest:
        if inputs.connection is None:
            return AuthorizedRequest(inputs.url, headers, Masking())
        try:
            return authorize(self.context.connection(inputs.connection), inputs.url, headers)
        except ConnectionUnavailable as error:
            raise HttpConnectionUnusable(str(error)) from error


def _was_done(inputs: HttpRequestInputs, error: RequestFailed) -> bool:
    """Return whether a server did what must not be repeated, although its answer could not be read."""
    if inputs.method not in _NOT_REPEATABLE:
        return False
    accepted = error.status >= 200 and Expectations(status=_status_text(inputs.expected_status)).accepts_status(
        error.status
    )
    return accepted or any(becomes_get(hop.status, inputs.method) for hop in error.redirects)


def _result(inputs: HttpRequestInputs, response: Response, masking: Masking) -> HttpRequestResult:
    read = read_body(response, masking)
    expected = _status_text(inputs.expected_status)
    if not Expectations(status=expected).accepts_status(response.status):
        raise HttpUnexpectedStatus(
            f"{inputs.method} {masking.text(response.url)} responded with status {response.status}, "
            f"expected {expected or 'below 400'}: {read.text[:300]!r}",
            response.status,
        )
    encoded = read.text.encode()
    truncated = response.truncated or len(encoded) > BODY_LIMIT
    fields: dict[str, Any] = {
        "status": response.status,
        "headers": {name: masking.text(value) for name, value in response.headers.items()},
        "body": encoded[:BODY_LIMIT].decode("utf-8", "ignore"),
        "charset": read.charset,
        "replaced": read.replaced,
        "truncated": truncated,
        "json": None if truncated or read.document is ... else read.document,
        "extracted": _extracted(inputs, response, read.document),
    }
    if not fits(fields):
        fields["json"] = None  # the body has it as text
    if not fits(fields) and inputs.extract:
        raise HttpExtractFailed(
            "the extracted values are too large or nested too deeply; select less: "
            f"a result has at most {MAX_RESULT_BYTES:,} bytes and 200 levels",
            response.status,
        )
    return HttpRequestResult(**fields)


def _extracted(inputs: HttpRequestInputs, response: Response, document: Any) -> dict[str, Any]:
    if not inputs.extract:
        return {}
    if document is ...:
        reason = f"is longer than {MAX_BODY_BYTES} bytes" if response.truncated else "is not JSON"
        raise HttpExtractFailed(f"nothing can be extracted: the response {reason}", response.status)
    extracted: dict[str, Any] = {}
    for name, path in inputs.extract.items():
        try:
            found = json_path.find(path, document)
        except ValueError as error:
            raise HttpExtractFailed(f"extract.{name}: {error}", response.status) from error
        if not found and inputs.extract_required:
            raise HttpExtractFailed(f"extract.{name}: {path!r} selects nothing in the response", response.status)
        extracted[name] = next(iter(found), None) if json_path.selects_one(path) else found
    return extracted


def _status_text(expected: str | tuple[int | str, ...] | None) -> str:
    """Return the expected statuses as one text; empty if there are none."""
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
    before, _, _ = url.partition("#")  # fragments are not sent
    return f"{before}{'&' if '?' in before else '?'}{urlencode(pairs)}"


def _content(inputs: HttpRequestInputs) -> tuple[Mapping[str, str], bytes | None]:
    if inputs.json_body is not None:
        return with_content_type(inputs.headers, "application/json"), _json_bytes(inputs.json_body)
    if inputs.body is not None:
        return with_content_type(inputs.headers, PLAIN_TEXT), inputs.body.encode()
    return inputs.headers, None


def _json_bytes(document: Any) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(document).encode()  # half of a surrogate pair can be sent, as an escape
