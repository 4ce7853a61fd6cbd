"""Ask the configured source, or another one, for prices."""

import difflib
from collections.abc import Sequence

from coinrequest import settings
from coinrequest.prices.price import Price, normalise_symbol
from coinrequest.prices.sources import SOURCES, Source


def source_names() -> tuple[str, ...]:
    """Return the names of the sources that can be asked."""
    return tuple(sorted(SOURCES))


def find_source(name: str | None = None) -> Source:
    """Return a source, ready to be asked.

    Args:
        name: None: the one that `COINREQUEST_PRICE_SOURCE` names. `COINREQUEST_PRICE_URL`, if set, replaces the
            address of that one, and of no other.

    Raises:
        ValueError: there is no source of this name.
    """
    configured = settings.price_source().lower()
    chosen = (name or configured).lower()
    if chosen not in SOURCES:
        nearest = difflib.get_close_matches(chosen, SOURCES, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(source_names())}"
        raise ValueError(f"there is no price source {chosen!r}; {hint}")
    return SOURCES[chosen](settings.price_url() if chosen == configured else None)


def get_prices(coin: str, currencies: Sequence[str], source: str | None = None) -> tuple[Price, ...]:
    """Ask one source what a coin costs.

    Args:
        coin: such as `BTC`; `XBT` and lower case are understood.
        currencies: such as `("USD", "EUR")`; one that is named twice is asked for once.
        source: `coinbase` or `kraken`; None: the configured one.

    Returns:
        One price for each currency, in their order.

    Raises:
        ValueError: a code that is none, or an unknown source.
        PriceUnavailable: or one of its kinds: `UnknownCoin`, `RateLimited`, `BadResponse`.
    """
    wanted = tuple(dict.fromkeys(normalise_symbol(currency) for currency in currencies))
    return find_source(source).prices(normalise_symbol(coin), wanted)
