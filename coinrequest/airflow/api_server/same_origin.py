"""Detects cross-site request forgery: requests that another site makes a signed-in browser send.

Airflow's cookie is `SameSite=Lax`, which stops other sites, but not other ports and sibling hosts. Browsers never send
a bearer token on their own, so a request with one is safe.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

COOKIES = ("_token", "session")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# What a page of any origin may send without a preflight (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
_FORM_TYPES = frozenset({"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})


def has_session(headers: Headers) -> bool:
    """Return whether the request carries a session cookie of Airflow or FAB."""
    # HTTP/2 lets a browser split the header into several lines.
    names = (part.partition("=")[0].strip() for line in headers.getlist("cookie") for part in line.split(";"))
    return any(name in COOKIES for name in names)


def has_bearer(headers: Headers) -> bool:
    """Return whether the request carries a bearer token, valid or not."""
    return headers.get("authorization", "")[:7].lower() == "bearer "


def origin_of(url: str) -> str | None:
    """Return the origin of a URL, as browsers write it; None if it has none, or contains a user."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_default = port in (None, {"http": 80, "https": 443}[parts.scheme])
    return f"{parts.scheme}://{host}" if is_default else f"{parts.scheme}://{host}:{port}"


def cross_origin_reason(headers: Headers, trusted: Collection[str | None]) -> str | None:
    """Return why a request may not come from a page of this installation; None if it does.

    Args:
        headers: the headers of the request.
        trusted: the origins of the installation, and those that it trusts.
    """
    origins = headers.getlist("origin")
    if len(origins) > 1:
        return "it has more than one Origin"
    origin = origins[0] if origins else None
    if origin is not None and origin_of(origin) in trusted and origin_of(origin) is not None:
        return None
    site = headers.get("sec-fetch-site")
    if site is not None:
        return None if site in ("same-origin", "none") else f"it comes from another origin ({site})"
    if origin is not None:
        return f"it comes from another origin, {origin[:200]!r}"
    return "it has neither Origin nor Sec-Fetch-Site, which every browser sends"


def is_form(headers: Headers) -> bool:
    """Return whether there is a body without a type, or of a type that forms of any page can send."""
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return False
    return headers.get("content-type", "").partition(";")[0].strip().lower() in {"", *_FORM_TYPES}
