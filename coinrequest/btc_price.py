"""`BTCPrice`: the price of Bitcoin in three steps, each of which can be a task of a DAG.

The steps exchange plain JSON, as tasks do. A rate is the exact text of a decimal number, because Airflow would store a
`Decimal` as a float.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from coinrequest.errors import CoinrequestError

if TYPE_CHECKING:
    from coinrequest.prices.report import Report

DEFAULT_CURRENCIES = ("USD", "GBP", "EUR")


class BtcPrice(TypedDict):
    """The price of one Bitcoin.

    `currency` is the code of the currency, `rate` the exact text of a decimal number, and `price_date` the time at
    which the price was fetched (ISO 8601, UTC).
    """

    currency: str
    rate: str
    price_date: str


class PriceEmail(TypedDict):
    """A mail that is ready to be sent."""

    subject: str
    body: str


class PricesInvalid(CoinrequestError, ValueError):
    """The prices do not have the form that `get_btc_prices` returns."""


class BTCPrice:
    """Fetches the prices of Bitcoin, converts them to JSON, and writes a mail from them. It has no state."""

    @staticmethod
    def get_btc_prices(currencies: Sequence[str] = DEFAULT_CURRENCIES, source: str | None = None) -> list[BtcPrice]:
        """Fetch the current price of Bitcoin; with several configured sources, the median of their prices.

        Args:
            currencies: codes such as `USD`.
            source: the source to ask instead of those of `COINREQUEST_PRICE_SOURCE`.

        Raises:
            coinrequest.prices.errors.PriceUnavailable: there is no response in time, no connection, or a server error;
                or a subclass: `BadResponse` (the response is not JSON or not a price), `UnknownCoin`, `RateLimited`.
            ValueError: a code is invalid, or the source is unknown.
        """
        from coinrequest.prices.client import clear_cache
        from coinrequest.prices.lookup import get_prices

        clear_cache()  # two calls within a second get two prices, each with its own date
        return [
            BtcPrice(currency=price.quote, rate=format(price.amount, "f"), price_date=price.fetched_at.isoformat())
            for price in get_prices("BTC", currencies, None if source is None else [source]).prices
        ]

    @staticmethod
    def process_prices(prices: Sequence[BtcPrice]) -> str:
        """Check the prices, and return them as a JSON array in the same order.

        Raises:
            PricesInvalid: they do not have the form that `get_btc_prices` returns.
        """
        return json.dumps([_check_price(price) for price in _check_list(prices)], ensure_ascii=False)

    @staticmethod
    def compose_price_email(prices_json: str) -> PriceEmail:
        """Write a plain-text mail from the result of `process_prices`.

        Raises:
            PricesInvalid: the JSON does not have the form that `process_prices` returns.
        """
        report = _report(prices_json)
        return PriceEmail(subject=report.subject, body=report.body)

    @staticmethod
    def compose_price_html(prices_json: str) -> str:
        """Write the same mail as an HTML document.

        This is a separate method because `compose_price_email` returns `{subject, body}` and nothing else.

        Raises:
            PricesInvalid: the JSON does not have the form that `process_prices` returns.
        """
        return _report(prices_json).html


def _report(prices_json: str) -> "Report":
    from coinrequest.prices.report import PriceLine, compose_report

    try:
        document = json.loads(prices_json)
    except (TypeError, ValueError) as error:
        raise PricesInvalid(f"the prices are not JSON: {error}") from error
    return compose_report([PriceLine(**_check_price(price)) for price in _check_list(document)], "Bitcoin price")


def _check_list(value: object) -> Sequence[object]:
    if not isinstance(value, (list, tuple)):
        raise PricesInvalid(f"the prices must be a list, not {type(value).__name__}")
    return value


def _check_price(price: object) -> BtcPrice:
    """Return a price with all its values as text; callers may also pass numbers."""
    if not isinstance(price, dict):
        raise PricesInvalid(f"a price must be an object, not {type(price).__name__}")
    missing = [field for field in ("currency", "rate", "price_date") if price.get(field) in (None, "")]
    if missing:
        raise PricesInvalid(f"a price has no {' and no '.join(missing)}")
    return BtcPrice(currency=str(price["currency"]), rate=str(price["rate"]), price_date=str(price["price_date"]))
