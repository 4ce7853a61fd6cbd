"""The price sources by name."""

import difflib
from collections.abc import Mapping

from coinrequest import settings
from coinrequest.prices.client import TIMEOUT_SECONDS
from coinrequest.prices.sources.base import CCXT_PREFIX, Source
from coinrequest.prices.sources.bitstamp import Bitstamp
from coinrequest.prices.sources.coinbase import Coinbase
from coinrequest.prices.sources.coingecko import CoinGecko
from coinrequest.prices.sources.kraken import Kraken

SOURCES: Mapping[str, type[Source]] = {source.name: source for source in (Bitstamp, Coinbase, CoinGecko, Kraken)}


def source_names() -> tuple[str, ...]:
    """Return the names of the built-in sources; `ccxt:` with the id of any exchange is a source too."""
    return tuple(SOURCES)


def check_source(name: str) -> str:
    """Return the name of a source in lower case.

    Raises:
        ValueError: there is no such source, or ccxt is not installed; the message has the nearest name or the remedy.
    """
    found = name.strip().lower()
    if found.startswith(CCXT_PREFIX):
        from coinrequest.prices.sources.ccxt_exchange import check_exchange

        check_exchange(found.removeprefix(CCXT_PREFIX))
    elif found not in SOURCES:
        nearest = difflib.get_close_matches(found, SOURCES, n=1)
        known = f"choose from {', '.join(SOURCES)} and {CCXT_PREFIX}EXCHANGE"
        hint = f"did you mean {nearest[0]!r}?" if nearest else known
        raise ValueError(f"there is no price source {name[:50]!r}; {hint}")
    return found


def open_source(name: str, timeout: float = TIMEOUT_SECONDS) -> Source:
    """Return a source with the address that the environment configures.

    Args:
        name: a name such as `kraken` or `ccxt:binance`.
        timeout: seconds for one request.

    Raises:
        ValueError: there is no such source, or ccxt is not installed.
        coinrequest.settings.SettingInvalid: `COINREQUEST_PRICE_URL` is set for several sources.
    """
    found = check_source(name)
    url = settings.price_url(found)
    if found.startswith(CCXT_PREFIX):
        from coinrequest.prices.sources.ccxt_exchange import Ccxt

        return Ccxt(found.removeprefix(CCXT_PREFIX), url, timeout)
    return SOURCES[found](url, timeout)
