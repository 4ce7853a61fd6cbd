"""The ticker of Kraken."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coinrequest.prices.client import SourceResponse
from coinrequest.prices.errors import BadResponse, PriceUnavailable, RateLimited, UnknownCoin
from coinrequest.prices.price import Price
from coinrequest.prices.sources.base import Source, error_message

_KRAKEN_CODES = {"BTC": "XBT", "DOGE": "XDG"}


class Kraken(Source):
    """Sends one request for all currencies. The amount is that of the last trade, whose time is not published.

    https://docs.kraken.com/api/docs/rest-api/get-ticker-information
    """

    name = "kraken"
    public_url = "https://api.kraken.com"

    def ask(self, coin: str, currencies: Sequence[str]) -> Iterator[Price | PriceUnavailable]:
        """Fetch the tickers of all pairs at once, or one by one if Kraken does not know all pairs."""
        try:
            response, tickers = self._tickers(coin, currencies)
        except UnknownCoin:
            if len(currencies) == 1:
                raise
            # One unknown pair fails the whole request, and the response does not say which one.
            return self._each(
                currencies, lambda currency: self._price(coin, currency, *self._tickers(coin, [currency]))
            )
        return self._each(currencies, lambda currency: self._price(coin, currency, response, tickers))

    def _tickers(self, coin: str, currencies: Sequence[str]) -> tuple[SourceResponse, dict[str, Any]]:
        pairs = ",".join(_kraken_code(coin) + _kraken_code(currency) for currency in currencies)
        response = self._fetch("/0/public/Ticker", {"pair": pairs})
        document = self._dictionary(response.document)
        # Kraken reports errors with status 200.
        if errors := document.get("error"):
            text = error_message(errors)
            if "Unknown asset pair" in text:
                raise self._no_price(coin, *currencies)
            if "Rate limit" in text or "Too many requests" in text:
                raise RateLimited(self.name, text)
            raise PriceUnavailable(self.name, text)
        if response.status >= 400:
            raise self._error(response.status, None, coin, *currencies)
        return response, self._dictionary(document.get("result"), "result")

    def _price(self, coin: str, currency: str, response: SourceResponse, tickers: Mapping[str, Any]) -> Price:
        name = next((name for name in _pair_names(coin, currency) if name in tickers), None)
        if name is None:
            raise BadResponse(self.name, f"the response has no price for {coin} in {currency}")
        ticker = self._dictionary(tickers[name], "price")
        return Price(
            base=coin,
            quote=currency,
            amount=self._amount(self._first(ticker, "c")),
            bid=self._offer(self._first(ticker, "b")),
            ask=self._offer(self._first(ticker, "a")),
            source=self.name,
            fetched_at=response.received_at,
        )

    def _first(self, ticker: dict[str, Any], field: str) -> object:
        """Return the price in a field of a ticker, which is followed by volumes; None if there is none."""
        value = ticker.get(field)
        if not value:
            return None
        if not isinstance(value, list):
            raise BadResponse(self.name, f"the field {field!r} of the response is no list")
        return value[0]


def _kraken_code(code: str) -> str:
    return _KRAKEN_CODES.get(code, code)


def _pair_names(coin: str, currency: str) -> Iterator[str]:
    """Yield the possible names of a pair: older coins have the prefix X, older currencies the prefix Z."""
    for coin_prefix in ("", "X", "Z"):
        for currency_prefix in ("", "Z", "X"):
            yield coin_prefix + _kraken_code(coin) + currency_prefix + _kraken_code(currency)
