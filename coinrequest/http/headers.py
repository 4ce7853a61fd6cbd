"""Checks of the headers that users set on a request."""

import re
from collections.abc import Mapping

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\x20-\x7e\t]{0,8000}")
# The transport sets these: they decide where a request goes and how long it is.
_RESERVED = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "expect"})
MAX_HEADERS = 50
PLAIN_TEXT = "text/plain; charset=utf-8"


def check_headers(headers: Mapping[str, str]) -> None:
    """Check headers that a user has set.

    Args:
        headers: names and values; at most 50.

    Raises:
        ValueError: a name or a value is malformed, or the transport sets the header itself.
    """
    if len(headers) > MAX_HEADERS:
        raise ValueError(f"there can be at most {MAX_HEADERS} headers")
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:50]!r} is not a valid header name")
        if name.lower() in _RESERVED:
            raise ValueError(f"the header {name} cannot be set: the client sets it")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the value of the header {name} must be one line of ASCII")


def with_content_type(headers: Mapping[str, str], content_type: str) -> dict[str, str]:
    """Return the headers with a content type, unless they have one; libcurl would call the body a form."""
    if any(name.lower() == "content-type" for name in headers):
        return dict(headers)
    return {"Content-Type": content_type, **headers}
