"""`BTCPrice`: the price of Bitcoin in three steps, each of them one task of a DAG.

What passes from step to step is plain JSON, because a task's output is. The rate is the exact text of a decimal
number and not a `Decimal`, which Airflow would store as a float.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from coinrequest.prices.report import Report

DEFAULT_CURRENCIES = ("USD", "GBP", "EUR")


class BtcPrice(TypedDict):
    """A price of one Bitcoin.

    `currency` is its code, `rate` the exact text of a decimal number, `price_date` when the price was fetched
    (ISO 8601, UTC).
    """

    currency: str
    rate: str
    price_date: str


class PriceEmail(TypedDict):
    """A mail, ready to be sent."""

    subject: str
    body: str


class PricesInvalid(ValueError):
    """These are not prices as `get_btc_prices` returns them; the text says what is wrong."""


class BTCPrice:
    """Get Bitcoin's prices, make JSON of them, and a mail of that. It has no state."""

    @staticmethod
    def get_btc_prices(currencies: Sequence[str] = DEFAULT_CURRENCIES, source: str | None = None) -> list[BtcPrice]:
        """Ask what a Bitcoin costs now: the configured source, or all of several (then it is the median).

        Args:
            currencies: codes such as `USD`.
            source: another source than `COINREQUEST_PRICE_SOURCE` names.

        Raises:
            coinrequest.prices.errors.PriceUnavailable: no answer in time, no connection or a server's error; or one
                of its kinds: `BadResponse` (the answer is no JSON or no price), `UnknownCoin`, `RateLimited`.
            ValueError: a code that is none, or an unknown source.
        """
        from coinrequest.prices.client import clear_cache
        from coinrequest.prices.lookup import get_prices

        clear_cache()  # each call has a price and a date of its own, also the second within a second
        return [
            BtcPrice(currency=price.quote, rate=format(price.amount, "f"), price_date=price.fetched_at.isoformat())
            for price in get_prices("BTC", currencies, None if source is None else [source]).prices
        ]

    @staticmethod
    def process_prices(prices: Sequence[BtcPrice]) -> str:
        """Return the prices as a JSON array, checked, in their order.

        Raises:
            PricesInvalid: they are not what `get_btc_prices` returns.
        """
        return json.dumps([_checked(price) for price in _list(prices)], ensure_ascii=False)

    @staticmethod
    def compose_price_email(prices_json: str) -> PriceEmail:
        """Write a mail of plain text of what `process_prices` returned.

        Raises:
            PricesInvalid: it is not that.
        """
        report = _report(prices_json)
        return PriceEmail(subject=report.subject, body=report.body)

    @staticmethod
    def compose_price_html(prices_json: str) -> str:
        """Write the same mail as an HTML document, for programs that show HTML.

        It is a method of its own because a mail of `compose_price_email` is `{subject, body}` and nothing else.

        Raises:
            PricesInvalid: it is not what `process_prices` returned.
        """
        return _report(prices_json).html


def _report(prices_json: str) -> "Report":
    from coinrequest.prices.report import PriceLine, compose_report

    try:
        document = json.loads(prices_json)
    except (TypeError, ValueError) as error:
        raise PricesInvalid(f"the prices are not JSON: {error}") from error
    return compose_report([PriceLine(**_checked(price)) for price in _list(document)], "Bitcoin price")


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, (list, tuple)):
        raise PricesInvalid(f"the prices are not a list but {type(value).__name__}")
    return value


def _checked(price: object) -> BtcPrice:
    """Return a price as plain text; a number is taken too, for whoever calls with prices of another origin."""
    if not isinstance(price, dict):
        raise PricesInvalid(f"a price is not an object but {type(price).__name__}")
    missing = [field for field in ("currency", "rate", "price_date") if price.get(field) in (None, "")]
    if missing:
        raise PricesInvalid(f"a price has no {' and no '.join(missing)}")
    return BtcPrice(currency=str(price["currency"]), rate=str(price["rate"]), price_date=str(price["price_date"]))
