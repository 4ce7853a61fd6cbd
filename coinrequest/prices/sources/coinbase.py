"""The exchange rates of Coinbase."""

from collections.abc import Iterator, Sequence

from coinrequest.prices.errors import PriceUnavailable
from coinrequest.prices.price import Price
from coinrequest.prices.sources.base import Source


class Coinbase(Source):
    """Sends one request for all currencies. The rates have no bid, ask or time.

    https://docs.cdp.coinbase.com/coinbase-app/track-apis/exchange-rates
    """

    name = "coinbase"
    public_url = "https://api.coinbase.com"

    def ask(self, coin: str, currencies: Sequence[str]) -> Iterator[Price | PriceUnavailable]:
        """Fetch all rates of the coin, and pick those of the currencies."""
        response = self._fetch("/v2/exchange-rates", {"currency": coin})
        document = self._dictionary(response.document)
        if response.status >= 400:
            raise self._error(response.status, document.get("errors"), coin, *currencies)
        rates = self._dictionary(self._dictionary(document.get("data"), "data").get("rates"), "rates")
        unknown = self._no_price(coin, *(currency for currency in currencies if currency not in rates))

        def read(currency: str) -> Price:
            if currency not in rates:
                raise unknown
            return Price(
                base=coin,
                quote=currency,
                amount=self._amount(rates[currency]),
                source=self.name,
                fetched_at=response.received_at,
            )

        return self._each(currencies, read)
