"""Refuses what another site lets a signed-in browser do (cross-site request forgery).

Airflow's cookie is `SameSite=Lax`, which holds other sites off and lets other ports and sibling hosts through. A bearer
token is never sent by a browser on its own, so requests with one need nothing more.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

COOKIES = ("_token", "session")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# What a page of any origin may send without asking first (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
_FORM_TYPES = frozenset({"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})


def has_session(headers: Headers) -> bool:
    """Return whether a browser's sign-in comes with the request: one of the cookies of Airflow or FAB."""
    # Several lines of it are one: HTTP/2 lets a browser split it.
    names = (part.partition("=")[0].strip() for line in headers.getlist("cookie") for part in line.split(";"))
    return any(name in COOKIES for name in names)


def has_bearer(headers: Headers) -> bool:
    """Return whether the request carries a bearer token, valid or not."""
    return headers.get("authorization", "")[:7].lower() == "bearer "


def origin_of(url: str) -> str | None:
    """Return the origin of a URL, as browsers write it; None: it has none, or names a user as no origin does."""
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


def is_foreign(headers: Headers, own: Collection[str | None]) -> str | None:
    """Return why a request does not come from a page of this installation; None: it does.

    Args:
        headers: of the request.
        own: the origins of the installation, and those that it trusts.
    """
    origins = headers.getlist("origin")
    if len(origins) > 1:
        return "it has more than one Origin"
    origin = origins[0] if origins else None
    if origin is not None and origin_of(origin) in own and origin_of(origin) is not None:
        return None
    site = headers.get("sec-fetch-site")
    if site is not None:
        return None if site in ("same-origin", "none") else f"it comes from another origin ({site})"
    if origin is not None:
        return f"it comes from another origin, {origin[:200]!r}"
    return "it has neither Origin nor Sec-Fetch-Site, which every browser sends"


def is_form(headers: Headers) -> bool:
    """Return whether there is a body of no type, or of one that forms of any page can send."""
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return False
    return headers.get("content-type", "").partition(";")[0].strip().lower() in {"", *_FORM_TYPES}
