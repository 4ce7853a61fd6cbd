"""The header `User-Agent`."""

from functools import cache
from importlib.metadata import version


@cache
def user_agent() -> str:
    """Return the product and its version, as RFC 9110, 10.1.5 has it."""
    return f"coinrequest/{version('coinrequest')}"
