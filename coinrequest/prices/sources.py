"""The exchanges that can be asked, each with the public endpoint that it documents."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from coinrequest.prices.client import TIMEOUT_SECONDS, Answer, fetch
from coinrequest.prices.errors import BadResponse, PriceUnavailable, RateLimited, UnknownCoin
from coinrequest.prices.price import Price, read_amount


class Source(ABC):
    """An exchange.

    Args:
        base_url: replaces the public address, for a mirror or a test; None: the public one.
        timeout: seconds for one request.
    """

    name: ClassVar[str]
    public_url: ClassVar[str]

    def __init__(self, base_url: str | None = None, timeout: float = TIMEOUT_SECONDS) -> None:
        self.base_url = (base_url or self.public_url).rstrip("/")
        self.timeout = timeout

    @abstractmethod
    def prices(self, coin: str, currencies: Sequence[str]) -> tuple[Price, ...]:
        """Ask for the price of a coin.

        Args:
            coin: in its usual form, such as `BTC`.
            currencies: likewise.

        Returns:
            One price for each currency, in their order.

        Raises:
            PriceUnavailable: or one of its kinds; then there is no price at all.
        """

    def _fetch(self, path: str, params: Mapping[str, str]) -> Answer:
        return fetch(self.name, self.base_url + path, params, self.timeout)

    def _amount(self, value: object) -> Decimal:
        try:
            return read_amount(value)
        except ValueError as error:
            raise BadResponse(self.name, str(error)) from error

    def _dictionary(self, value: object, what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise BadResponse(self.name, f"the answer has no {what}")
        return value


class Coinbase(Source):
    """Coinbase's exchange rates: one request for any number of currencies.

    https://docs.cdp.coinbase.com/coinbase-app/track-apis/exchange-rates
    """

    name = "coinbase"
    public_url = "https://api.coinbase.com"

    def prices(self, coin: str, currencies: Sequence[str]) -> tuple[Price, ...]:
        """Ask for all rates of the coin and take those of the currencies."""
        answer = self._fetch("/v2/exchange-rates", {"currency": coin})
        document = self._dictionary(answer.document, "document")
        if answer.status >= 400:
            text = f"it answered with status {answer.status}: {_message(document.get('errors'))}"
            kind = UnknownCoin if answer.status in {400, 404} else PriceUnavailable
            raise kind(self.name, text)
        rates = self._dictionary(self._dictionary(document.get("data"), "data").get("rates"), "rates")
        missing = [currency for currency in currencies if currency not in rates]
        if missing:
            raise UnknownCoin(self.name, f"there is no price of {coin} in {', '.join(missing)}")
        return tuple(
            Price(
                base=coin,
                quote=currency,
                amount=self._amount(rates[currency]),
                source=self.name,
                fetched_at=answer.received_at,
            )
            for currency in currencies
        )


class Kraken(Source):
    """Kraken's ticker: one request for each currency; the amount is that of the last trade.

    https://docs.kraken.com/api/docs/rest-api/get-ticker-information
    """

    name = "kraken"
    public_url = "https://api.kraken.com"
    _own_names: ClassVar[dict[str, str]] = {"BTC": "XBT", "DOGE": "XDG"}

    def prices(self, coin: str, currencies: Sequence[str]) -> tuple[Price, ...]:
        """Ask for the ticker of each pair; in a request for several, one unknown pair would fail them all."""
        return tuple(self._price(coin, currency) for currency in currencies)

    def _price(self, coin: str, currency: str) -> Price:
        pair = self._own_names.get(coin, coin) + self._own_names.get(currency, currency)
        answer = self._fetch("/0/public/Ticker", {"pair": pair})
        document = self._dictionary(answer.document, "document")
        self._check(document.get("error"), f"{coin} in {currency}")
        if answer.status >= 400:
            raise PriceUnavailable(self.name, f"it answered with status {answer.status}")
        tickers = list(self._dictionary(document.get("result"), "result").values())
        if len(tickers) != 1:
            raise BadResponse(self.name, f"{len(tickers)} prices came instead of one")
        ticker = self._dictionary(tickers[0], "price")
        return Price(
            base=coin,
            quote=currency,
            amount=self._first(ticker, "c"),
            bid=self._first(ticker, "b"),
            ask=self._first(ticker, "a"),
            source=self.name,
            fetched_at=answer.received_at,
        )

    def _check(self, errors: object, pair: str) -> None:
        """Raise what Kraken reports, which it does with status 200."""
        if not errors:
            return
        text = _message(errors)
        if "Unknown asset pair" in text:
            raise UnknownCoin(self.name, f"there is no price of {pair}")
        if "Rate limit" in text or "Too many requests" in text:
            raise RateLimited(self.name, text)
        raise PriceUnavailable(self.name, text)

    def _first(self, ticker: dict[str, Any], field: str) -> Decimal:
        """Return the price of a ticker's field; beside it stand volumes."""
        value = ticker.get(field)
        if not isinstance(value, list) or not value:
            raise BadResponse(self.name, f"the answer has no field {field!r}")
        return self._amount(value[0])


SOURCES: Mapping[str, type[Source]] = {source.name: source for source in (Coinbase, Kraken)}


def _message(errors: object) -> str:
    """Return the text of an exchange's list of errors, whatever its form, for a person."""
    entries = errors if isinstance(errors, list) else [errors]
    texts = [str(entry.get("message", entry)) if isinstance(entry, dict) else str(entry) for entry in entries]
    return "; ".join(texts)[:500]
