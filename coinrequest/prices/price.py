"""Prices as exact decimals."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeGuard

from coinrequest.prices.errors import PriceUnavailable

# On each side of the decimal point: enough for every double, of which JSON is mostly made (5e-324 to 1.8e308).
PLACES = 400
_AMOUNT = re.compile(r"(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,4})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of one unit of a coin in a currency, from one source, at one time.

    Two prices are equal if all their attributes are equal. Prices of the same pair are ordered by their amounts.

    Attributes:
        base: the coin, such as `BTC`.
        quote: the currency, such as `EUR`.
        amount: units of `quote` for one unit of `base`; exact and above zero.
        source: the name of the source; for a combined price, the aggregate and the sources.
        fetched_at: when the response was received; for a combined price, when the oldest response was.
        bid: the best bid, if the source has one.
        ask: the best ask, if the source has one.
        exchange_time: the time of the price according to the source, if it gives one.

    Raises:
        ValueError: an amount is not a finite number above zero, or a time has no time zone.
    """

    base: str
    quote: str
    amount: Decimal
    source: str
    fetched_at: datetime
    bid: Decimal | None = None
    ask: Decimal | None = None
    exchange_time: datetime | None = None

    def __post_init__(self) -> None:
        """Check the types that JSON or a database would change: floats, and times without a time zone."""
        for name in ("amount", "bid", "ask"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, Decimal) and value.is_finite() and value > 0):
                raise ValueError(f"{name} must be a Decimal above zero, not {value!r}")
        for name in ("fetched_at", "exchange_time"):
            moment = getattr(self, name)
            if moment is not None and moment.utcoffset() is None:
                raise ValueError(f"{name} needs a time zone")

    def __lt__(self, other: object) -> bool:
        return self.amount < other.amount if self._is_like(other) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.amount <= other.amount if self._is_like(other) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.amount > other.amount if self._is_like(other) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.amount >= other.amount if self._is_like(other) else NotImplemented

    def _is_like(self, other: object) -> TypeGuard["Price"]:
        return isinstance(other, Price) and (self.base, self.quote) == (other.base, other.quote)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceAnswer:
    """The combined prices, and what each source contributed.

    Attributes:
        prices: one price for each requested currency, in their order.
        quotes: all quotes, by currency and then in the order of the sources.
        dropped: the quotes that are too far from the others to be used.
        failures: why sources gave no price, or none in some of the currencies; each failure once.
    """

    prices: tuple[Price, ...]
    quotes: tuple[Price, ...]
    dropped: tuple[Price, ...] = ()
    failures: tuple[PriceUnavailable, ...] = ()

    @property
    def answered(self) -> tuple[str, ...]:
        """Return the names of the sources that gave a price in at least one currency."""
        return tuple(dict.fromkeys(quote.source for quote in self.quotes))


def parse_amount(value: object) -> Decimal:
    """Parse an amount of money without converting it to a float.

    Args:
        value: the text of a number, or a `Decimal` that was parsed with `parse_float=Decimal`.

    Raises:
        ValueError: it is not a finite number above zero, or has more than 400 digits on a side of the decimal point.
    """
    text = str(value) if isinstance(value, Decimal) else value
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise ValueError(f"{str(value)[:80]!r} is not an amount: a number above zero")
    amount = Decimal(text)
    if not amount:
        raise ValueError(f"{text[:80]!r} is not an amount above zero")
    if amount.adjusted() >= PLACES or -int(amount.as_tuple().exponent) > PLACES:
        raise ValueError(f"{text[:80]!r} is not an amount of at most {PLACES} digits on each side of the decimal point")
    return amount
