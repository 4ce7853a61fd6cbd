"""How the library introduces itself to servers."""

from functools import cache
from importlib.metadata import version


@cache
def user_agent() -> str:
    """Return the value of the `User-Agent` header: the product and its version (RFC 9110, 10.1.5)."""
    return f"coinrequest/{version('coinrequest')}"
