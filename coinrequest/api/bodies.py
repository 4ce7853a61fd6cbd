"""Request bodies: documents of at most 64 KiB, JSON or YAML."""

from typing import Annotated, Any

from fastapi import Depends, Request

from coinrequest.jobtypes.document import load_document
from coinrequest.jobtypes.errors import DocumentTooLarge

LIMIT = 64 * 1024


async def _bounded_body(request: Request) -> tuple[bytes, str]:
    """Return the body and its content type, reading no more of it than is allowed.

    Raises:
        DocumentTooLarge: more than 64 KiB.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > LIMIT:
        raise DocumentTooLarge("the request body", int(declared), LIMIT)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT:
            raise DocumentTooLarge("the request body", len(body), LIMIT)
    return bytes(body), request.headers.get("content-type", "application/json")


def _document(body: Annotated[tuple[bytes, str], Depends(_bounded_body)]) -> dict[str, Any]:
    # A plain function, so that a long YAML text is read in FastAPI's thread pool.
    return dict(load_document(*body))


Document = Annotated[dict[str, Any], Depends(_document)]
