"""Request bodies: documents of bounded size, JSON or YAML."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from coinrequest.jobtypes.document import ESCAPED, MAX_DOCUMENT_BYTES, load_document, yaml_text
from coinrequest.jobtypes.errors import DocumentTooLarge
from coinrequest.jobtypes.params import MAX_PARAMS_BYTES

# Everything but the params of a submission, white space included.
_ENVELOPE = 16 * 1024


def _body(limit: int) -> Callable[[Request], Awaitable[bytes]]:
    async def read(request: Request) -> bytes:
        """Return the body; stop reading where it exceeds the limit even if all its text is escaped.

        Raises:
            DocumentTooLarge: the body exceeds the limit.
        """
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit * ESCAPED:
            raise DocumentTooLarge("the request body", int(declared[:20]), limit)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit * ESCAPED:
                raise DocumentTooLarge("the request body", len(body), limit)
        return bytes(body)

    return read


def _document(limit: int, *, optional: bool = False) -> Callable[[Request, bytes], dict[str, Any]]:
    # Not async, so that FastAPI parses a long YAML text in its thread pool.
    def read(request: Request, body: Annotated[bytes, Depends(_body(limit))]) -> dict[str, Any]:
        if optional and not body:
            return {}
        return load_document(body, request.headers.get("content-type"), limit)

    return read


@dataclass(frozen=True)
class SentDefinition:
    """A definition as it was sent.

    Attributes:
        document: its content.
        text: its text, if that is YAML.
    """

    document: dict[str, Any]
    text: str | None


def _definition(request: Request, body: Annotated[bytes, Depends(_body(MAX_DOCUMENT_BYTES))]) -> SentDefinition:
    content_type = request.headers.get("content-type")
    return SentDefinition(load_document(body, content_type), yaml_text(body, content_type))


Definition = Annotated[SentDefinition, Depends(_definition)]
Document = Annotated[dict[str, Any], Depends(_document(MAX_DOCUMENT_BYTES))]
OptionalDocument = Annotated[dict[str, Any], Depends(_document(_ENVELOPE, optional=True))]
SubmissionDocument = Annotated[dict[str, Any], Depends(_document(MAX_PARAMS_BYTES + _ENVELOPE))]
