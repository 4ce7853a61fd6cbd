"""Jobs that a team defines, runs and watches on Apache Airflow, and the work they do.

Importing this package costs next to nothing: what it offers is loaded when it is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coinrequest.btc_price import BTCPrice

__version__: str

__all__ = ["BTCPrice", "__version__"]


def __getattr__(name: str) -> Any:
    """Load `BTCPrice` or `__version__` on first use (PEP 562)."""
    if name == "BTCPrice":
        from coinrequest import btc_price

        return btc_price.BTCPrice
    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
