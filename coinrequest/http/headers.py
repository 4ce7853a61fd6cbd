"""Headers: checks of those that users set on a request, and the text of those that servers send."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

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


def header_text(value: bytes) -> str:
    """Decode the value of a header: UTF-8 if it is that, otherwise Latin-1, in which every byte is a character."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("iso-8859-1")


def parse_headers(lines: Sequence[bytes]) -> dict[str, str]:
    """Return the headers of the last response by their names in lower case, from the lines that libcurl reports."""
    headers: dict[str, str] = {}
    for name, value in _fields(lines):
        text, before = header_text(value), headers.get(name)
        headers[name] = text if before is None or name == "location" else f"{before}, {text}"
    return headers


def location_of(lines: Sequence[bytes]) -> str:
    """Return the header `Location` as a URL; bytes that are not UTF-8 stay the same bytes, percent-encoded."""
    location = b""
    for name, value in _fields(lines):
        if name == "location":
            location = value
    try:
        return location.decode()
    except UnicodeDecodeError:
        return quote(location, safe=bytes(range(0x80)))


def _fields(lines: Sequence[bytes]) -> Sequence[tuple[str, bytes]]:
    fields: list[tuple[str, bytes]] = []
    for line in lines:
        if line.startswith(b"HTTP/"):
            fields.clear()  # the lines before belong to an interim response (1xx)
            continue
        name, separator, value = line.partition(b":")
        if separator:
            # Not `strip()` of a text, which would take a no-break space away.
            fields.append((header_text(name.strip()).lower(), value.strip(b" \t\r\n")))
    return fields
