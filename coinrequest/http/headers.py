"""The headers of a request: which ones a person may set, and what its body is."""

import re
from collections.abc import Mapping

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\x20-\x7e\t]{0,8000}")
# These say where a request goes and how long it is; both are the transport's business.
_OWN = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "expect"})
MAX_HEADERS = 50
PLAIN_TEXT = "text/plain; charset=utf-8"


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that could change what the request is, or that are none.

    Args:
        headers: names and values; at most 50.

    Raises:
        ValueError: a name or a value is malformed, or the header is one that the request sets itself.
    """
    if len(headers) > MAX_HEADERS:
        raise ValueError(f"there can be at most {MAX_HEADERS} headers")
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:50]!r} is not the name of a header")
        if name.lower() in _OWN:
            raise ValueError(f"the header {name} is set by the request itself")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the value of the header {name} is not one line of ASCII")


def with_content_type(headers: Mapping[str, str], content_type: str) -> dict[str, str]:
    """Return headers that say what a body is, unless they do already; libcurl would call it a form."""
    if any(name.lower() == "content-type" for name in headers):
        return dict(headers)
    return {"Content-Type": content_type, **headers}
