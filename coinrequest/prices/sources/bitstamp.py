"""The ticker of Bitstamp."""

from collections.abc import Iterator, Sequence

from coinrequest.prices.errors import BadResponse, PriceUnavailable
from coinrequest.prices.price import Price
from coinrequest.prices.sources.base import Source


class Bitstamp(Source):
    """Sends one request for each currency. The amount is that of the last trade.

    https://www.bitstamp.net/api/#tag/Tickers/operation/GetMarketTicker
    """

    name = "bitstamp"
    public_url = "https://www.bitstamp.net"

    def ask(self, coin: str, currencies: Sequence[str]) -> Iterator[Price | PriceUnavailable]:
        """Ask for the ticker of each pair."""
        return self._each(currencies, lambda currency: self._price(coin, currency))

    def _price(self, coin: str, currency: str) -> Price:
        try:
            response = self._fetch(f"/api/v2/ticker/{(coin + currency).lower()}/")
        except BadResponse as error:
            if error.status == 404:  # sometimes an HTML page instead of JSON
                raise self._no_price(coin, currency) from error
            raise
        if response.status == 404:
            raise self._no_price(coin, currency)
        ticker = self._dictionary(response.document)
        if response.status >= 400 or ticker.get("status") == "error":
            raise self._error(response.status, ticker.get("reason"), coin, currency)
        return Price(
            base=coin,
            quote=currency,
            amount=self._amount(ticker.get("last")),
            bid=self._offer(ticker.get("bid")),
            ask=self._offer(ticker.get("ask")),
            source=self.name,
            fetched_at=response.received_at,
            exchange_time=self._time(ticker.get("timestamp")),
        )
