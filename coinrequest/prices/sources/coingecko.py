"""The prices of CoinGecko, which are averages over many exchanges."""

from collections.abc import Iterator, Sequence

from coinrequest.prices.errors import PriceUnavailable, UnknownCoin
from coinrequest.prices.price import Price
from coinrequest.prices.sources.base import Source
from coinrequest.prices.symbols import COINS


class CoinGecko(Source):
    """Sends one request for all currencies. It knows the coins of `symbols.COINS`, and has no bid or ask.

    https://docs.coingecko.com/reference/simple-price
    """

    name = "coingecko"
    public_url = "https://api.coingecko.com"

    def ask(self, coin: str, currencies: Sequence[str]) -> Iterator[Price | PriceUnavailable]:
        """Ask for the price in all currencies."""
        if coin not in COINS:
            raise UnknownCoin(self.name, f"the id of {coin} is unknown")
        response = self._fetch(
            "/api/v3/simple/price",
            {
                "ids": COINS[coin],
                "vs_currencies": ",".join(currencies).lower(),
                "include_last_updated_at": "true",
                "precision": "full",
            },
        )
        document = self._dictionary(response.document)
        if response.status >= 400:
            status = document.get("status")
            reason = status.get("error_message") if isinstance(status, dict) else document.get("error")
            raise self._error(response.status, reason, coin, *currencies)
        # The response leaves out unknown coins and currencies.
        found = self._dictionary(document.get(COINS[coin], {}), "price")

        def read(currency: str) -> Price:
            amount = found.get(currency.lower())
            if amount is None:
                raise self._no_price(coin, currency)
            return Price(
                base=coin,
                quote=currency,
                amount=self._amount(amount),
                source=self.name,
                fetched_at=response.received_at,
                exchange_time=self._time(found.get("last_updated_at")),
            )

        return self._each(currencies, read)
