"""`http.request`: send one HTTP request and hand on the answer."""

import json
import re
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from coinrequest import settings
from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.urltest.errors import RequestFailed
from coinrequest.urltest.guard import AddressGuard
from coinrequest.urltest.target import MAX_URL_LENGTH
from coinrequest.urltest.transport import REDIRECT_LIMIT, Request, Response, send

BODY_LIMIT = 262_144

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110, 5.6.2
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]{0,8000}")
# These say where a request goes and how long it is; both are the transport's business.
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "expect"})


class HttpRequestFailed(ActionFailed):
    """No answer came, or one with a status that was not expected.

    Attributes:
        status: the status, or None if no answer came.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class _WithJson(ActionModel):
    """A model with a field that is called `json` outside, where the name is taken inside."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_alias=True)


class HttpRequestInputs(_WithJson):
    """What to send."""

    url: str = Field(
        min_length=1,
        max_length=MAX_URL_LENGTH,
        description="absolute, http or https",
        examples=["https://example.org/orders"],
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        default="GET", description="upper case"
    )
    headers: dict[str, str] = Field(
        default={}, max_length=50, description="names and values; no secrets, for they are stored with the job"
    )
    body: str | None = Field(default=None, max_length=1_048_576, description="text to send; not together with json")
    json_body: Any = Field(default=None, alias="json", description="a document to send as JSON; null sends none")
    timeout: float = Field(default=30.0, gt=0, le=300, description="seconds for everything, redirects included")
    redirect_limit: int = Field(
        default=REDIRECT_LIMIT, ge=0, le=20, description="how many redirects are followed; with 0 one is the answer"
    )
    expected_status: tuple[int, ...] | None = Field(
        default=None,
        strict=False,
        min_length=1,
        max_length=50,
        description="the statuses that count as success; null: all below 400",
    )

    @field_validator("headers")
    @classmethod
    def _headers_are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name[:50]!r} is not the name of a header")
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"the header {name} is set by the request itself")
            if not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"the value of the header {name} is not one line of ASCII")
        return headers

    @model_validator(mode="after")
    def _one_body(self) -> "HttpRequestInputs":
        if self.body is not None and self.json_body is not None:
            raise ValueError("give body or json, not both")
        return self


class HttpRequestResult(_WithJson):
    """What came back."""

    status: int = Field(description="HTTP status")
    headers: dict[str, str] = Field(description="names in lower case; repeated ones are joined with a comma")
    body: str = Field(description="text, at most 256 KiB")
    truncated: bool = Field(description="whether the body was longer")
    json_body: Any = Field(default=None, alias="json", description="the body's document, if it is JSON")


class HttpRequest(Action[HttpRequestInputs, HttpRequestResult]):
    """Send one HTTP request. It fails if no answer comes, or one with a status that is not expected.

    Addresses that are not public are refused unless the administrator allows them. A redirect to another server
    carries no header that could be a secret.
    """

    name: ClassVar[str] = "http.request"
    summary: ClassVar[str] = "Send an HTTP request and hand on the answer"
    Inputs: ClassVar[type[BaseModel]] = HttpRequestInputs
    Result: ClassVar[type[BaseModel]] = HttpRequestResult

    def run(self, inputs: HttpRequestInputs) -> HttpRequestResult:
        """Send the request.

        Raises:
            HttpRequestFailed: no answer came, or one with a status that is not expected.
        """
        headers, body = _content(inputs)
        request = Request(
            url=inputs.url,
            method=inputs.method,
            headers=headers,
            body=body,
            timeout=inputs.timeout,
            redirect_limit=inputs.redirect_limit,
            body_limit=BODY_LIMIT,
        )
        try:
            response = send(request, AddressGuard(settings.allowed_networks()))
        except RequestFailed as error:
            raise HttpRequestFailed(str(error)) from error
        text = response.body.decode(_charset(response), "replace")
        expected = inputs.expected_status
        if response.status >= 400 if expected is None else response.status not in expected:
            wanted = "below 400" if expected is None else " or ".join(map(str, expected))
            raise HttpRequestFailed(
                f"{inputs.method} {response.url} answered with status {response.status}, expected {wanted}: "
                f"{text[:300]!r}",
                response.status,
            )
        return HttpRequestResult(
            status=response.status,
            headers=dict(response.headers),
            body=text,
            truncated=response.truncated,
            json=_document(response, text),
        )


def _content(inputs: HttpRequestInputs) -> tuple[dict[str, str], bytes | None]:
    headers = dict(inputs.headers)
    has_type = any(name.lower() == "content-type" for name in headers)
    if inputs.json_body is not None:
        if not has_type:
            headers["Content-Type"] = "application/json"
        return headers, json.dumps(inputs.json_body, ensure_ascii=False).encode()
    if inputs.body is not None:
        if not has_type:
            headers["Content-Type"] = "text/plain; charset=utf-8"
        return headers, inputs.body.encode()
    return headers, None


def _charset(response: Response) -> str:
    """Return the character set that the answer names and Python knows, or UTF-8."""
    import codecs

    match = re.search(r"charset=\"?([A-Za-z0-9_.:-]+)", response.headers.get("content-type", ""))
    try:
        codec = codecs.lookup(match[1]) if match else None
    except LookupError:
        codec = None
    # The same registry holds codecs that are no character sets, such as base64.
    return codec.name if codec is not None and getattr(codec, "_is_text_encoding", True) else "utf-8"


def _document(response: Response, text: str) -> Any:
    if response.truncated:
        return None
    try:
        # Infinity and NaN are not JSON and could not be stored with the result.
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(constant)
