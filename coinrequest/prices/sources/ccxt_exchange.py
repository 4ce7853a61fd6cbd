"""The exchanges of ccxt as sources, such as `ccxt:binance`. They need the extra `coinrequest[ccxt]`."""

import importlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from coinrequest.finite_numbers import finite
from coinrequest.http.retry_after import parse_retry_after
from coinrequest.prices.client import TIMEOUT_SECONDS
from coinrequest.prices.errors import BadResponse, PriceUnavailable, RateLimited, UnknownCoin
from coinrequest.prices.price import Price
from coinrequest.prices.sources.base import CCXT_PREFIX, Source
from coinrequest.text import storable_text


class Ccxt(Source):
    """Sends one request for each currency, after those with which ccxt loads the markets of the exchange.

    https://docs.ccxt.com/#/?id=ticker-structure

    The first such source of a process imports ccxt, which takes seconds.

    Args:
        exchange: the id of the exchange at ccxt, such as `binance`.
        base_url: replaces the scheme and the host of all URLs of the exchange.
        timeout: seconds for one request.
    """

    def __init__(self, exchange: str, base_url: str | None = None, timeout: float = TIMEOUT_SECONDS) -> None:
        self.name = CCXT_PREFIX + exchange
        self.public_url = ""
        super().__init__(base_url, timeout)
        self._exchange, self._lock = _open_exchange(exchange, self.base_url)

    def ask(self, coin: str, currencies: Sequence[str]) -> Iterator[Price | PriceUnavailable]:
        """Ask for the ticker of each pair."""
        return self._each(currencies, lambda currency: self._price(coin, currency))

    def _price(self, coin: str, currency: str) -> Price:
        with self._lock:
            ticker, body = self._ticker(coin, currency), str(self._exchange.last_http_response or "").lstrip()
        if ticker.get("last") is None and not body.startswith(("{", "[")):  # ccxt takes a page for an empty ticker
            raise BadResponse(self.name, f"the response is not JSON; it starts with {storable_text(body[:80])!r}")
        if ticker.get("last") is None:
            raise BadResponse(self.name, f"the response has no price for {coin} in {currency}")
        milliseconds = ticker.get("timestamp")
        return Price(
            base=coin,
            quote=currency,
            amount=self._amount(ticker["last"]),
            bid=self._offer(ticker.get("bid")),
            ask=self._offer(ticker.get("ask")),
            source=self.name,
            fetched_at=datetime.now(UTC),
            exchange_time=self._time(None if milliseconds is None else int(milliseconds) // 1000),
        )

    def _ticker(self, coin: str, currency: str) -> dict[str, Any]:
        ccxt = _ccxt()
        exchange = self._exchange
        exchange.timeout = int(self.timeout * 1000)
        try:
            exchange.load_markets()
            # Only after the markets are loaded, whose numbers ccxt uses itself: keep numbers as text.
            exchange.number = str
            exchange.on_json_response = _parse_json
            return self._dictionary(exchange.fetch_ticker(f"{coin}/{currency}"))
        except ccxt.BadSymbol as error:
            raise self._no_price(coin, currency) from error
        except (ccxt.RateLimitExceeded, ccxt.DDoSProtection) as error:
            raise RateLimited(self.name, "too many requests", _retry_after(exchange.last_response_headers)) from error
        except ccxt.RequestTimeout as error:
            raise PriceUnavailable(self.name, f"no response within {self.timeout:g} seconds") from error
        except ccxt.NotSupported as error:
            raise UnknownCoin(self.name, f"it does not publish prices: {_text(error)}") from error
        except (ccxt.NetworkError, ccxt.AuthenticationError) as error:
            raise PriceUnavailable(self.name, f"the request failed: {_text(error)}") from error
        except PriceUnavailable:
            raise
        except Exception as error:
            # ccxt does not check the form of responses, so a malformed one can raise any error.
            raise BadResponse(self.name, f"the response cannot be parsed: {_text(error)}") from error


def check_exchange(exchange: str) -> None:
    """Check that ccxt supports an exchange, without loading ccxt.

    Raises:
        ValueError: ccxt is not installed, or does not support the exchange.
    """
    package = find_spec("ccxt")
    if package is None or package.origin is None:
        raise ValueError(f"{CCXT_PREFIX}{exchange} needs ccxt, which is not installed: pip install 'coinrequest[ccxt]'")
    # Each exchange has its own module.
    if not exchange.isidentifier() or exchange.startswith("_"):
        raise ValueError(f"{exchange[:50]!r} is not the id of an exchange at ccxt")
    if not Path(package.origin).with_name(f"{exchange}.py").is_file():
        raise ValueError(f"ccxt does not support the exchange {exchange[:50]!r}")


@cache
def _open_exchange(exchange: str, base_url: str) -> tuple[Any, threading.Lock]:
    """Return an exchange, which keeps its markets and connections, and the lock that guards it."""
    from coinrequest.http.user_agent import user_agent

    check_exchange(exchange)
    opened = getattr(_ccxt(), exchange)({"userAgent": user_agent()})
    opened.session.max_redirects = 0
    if base_url:
        opened.urls["api"] = _with_base_url(opened.urls["api"], base_url)
    return opened, threading.Lock()


def _ccxt() -> Any:
    return importlib.import_module("ccxt")


def _with_base_url(urls: Any, base_url: str) -> Any:
    if isinstance(urls, dict):
        return {name: _with_base_url(url, base_url) for name, url in urls.items()}
    if not isinstance(urls, str):
        return urls
    parts = urlsplit(urls)
    return base_url + urlunsplit(("", "", parts.path, parts.query, ""))


def _parse_json(body: str) -> Any:
    return json.loads(body, parse_float=str, parse_int=str, parse_constant=finite)


def _retry_after(headers: Mapping[str, str] | None) -> float | None:
    return parse_retry_after((headers or {}).get("Retry-After"), datetime.now(UTC))


def _text(error: Exception) -> str:
    return storable_text((str(error) or type(error).__name__)[:300])
