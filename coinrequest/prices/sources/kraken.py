"""Kraken's ticker."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coinrequest.prices.client import SourceResponse
from coinrequest.prices.errors import BadResponse, PriceUnavailable, RateLimited, UnknownCoin
from coinrequest.prices.price import Price
from coinrequest.prices.sources.base import Source, message

_OWN_NAMES = {"BTC": "XBT", "DOGE": "XDG"}


class Kraken(Source):
    """One request for all currencies; the amount is that of the last trade, whose time is not published.

    https://docs.kraken.com/api/docs/rest-api/get-ticker-information
    """

    name = "kraken"
    public_url = "https://api.kraken.com"

    def ask(self, coin: str, currencies: Sequence[str]) -> Iterator[Price | PriceUnavailable]:
        """Ask for the tickers of all pairs at once, or one by one where Kraken does not know them all."""
        try:
            answer, tickers = self._tickers(coin, currencies)
        except UnknownCoin:
            if len(currencies) == 1:
                raise
            # One unknown pair fails the request for all of them, and the answer does not say which.
            return self._each(
                currencies, lambda currency: self._price(coin, currency, *self._tickers(coin, [currency]))
            )
        return self._each(currencies, lambda currency: self._price(coin, currency, answer, tickers))

    def _tickers(self, coin: str, currencies: Sequence[str]) -> tuple[SourceResponse, dict[str, Any]]:
        pairs = ",".join(_own(coin) + _own(currency) for currency in currencies)
        answer = self._fetch("/0/public/Ticker", {"pair": pairs})
        document = self._dictionary(answer.document)
        # Kraken reports errors with status 200.
        if errors := document.get("error"):
            text = message(errors)
            if "Unknown asset pair" in text:
                raise self._no_price(coin, *currencies)
            if "Rate limit" in text or "Too many requests" in text:
                raise RateLimited(self.name, text)
            raise PriceUnavailable(self.name, text)
        if answer.status >= 400:
            raise PriceUnavailable(self.name, f"it answered with status {answer.status}")
        return answer, self._dictionary(document.get("result"), "result")

    def _price(self, coin: str, currency: str, answer: SourceResponse, tickers: Mapping[str, Any]) -> Price:
        name = next((name for name in _pair_names(coin, currency) if name in tickers), None)
        if name is None:
            raise BadResponse(self.name, f"the answer has no price of {coin} in {currency}")
        ticker = self._dictionary(tickers[name], "price")
        return Price(
            base=coin,
            quote=currency,
            amount=self._amount(self._first(ticker, "c")),
            bid=self._offer(self._first(ticker, "b")),
            ask=self._offer(self._first(ticker, "a")),
            source=self.name,
            fetched_at=answer.received_at,
        )

    def _first(self, ticker: dict[str, Any], field: str) -> object:
        """Return the price of a ticker's field; beside it stand volumes."""
        value = ticker.get(field)
        if not isinstance(value, list) or not value:
            raise BadResponse(self.name, f"the answer has no field {field!r}")
        return value[0]


def _own(code: str) -> str:
    return _OWN_NAMES.get(code, code)


def _pair_names(coin: str, currency: str) -> Iterator[str]:
    """Yield the names under which a pair may be answered: older coins carry an X, older currencies a Z before them."""
    for before_coin in ("", "X", "Z"):
        for before_currency in ("", "Z", "X"):
            yield before_coin + _own(coin) + before_currency + _own(currency)
