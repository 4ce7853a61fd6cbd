"""A price, exactly as a source gave it."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeGuard

from coinrequest.prices.errors import PriceUnavailable

# Twenty digits on either side of the point is more than any coin or currency has.
PLACES = 20
_AMOUNT = re.compile(r"\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one unit of a coin costs in a currency, at one source, at one moment.

    Two prices are equal if all that is known of them is; prices of the same pair are ordered by their amounts.

    Attributes:
        base: the coin, such as `BTC`.
        quote: the currency, such as `EUR`.
        amount: units of `quote` for one unit of `base`; exact and above zero.
        source: the name of the source; of a combined price, how it was combined and of which sources.
        fetched_at: when the answer was received; of a combined price, when its oldest one was.
        bid: the best price that a buyer offers, if the source says.
        ask: the best price that a seller asks, if the source says.
        exchange_time: when the source says that the price was made, if it does.

    Raises:
        ValueError: an amount that is not a finite number above zero, or a moment without a time zone.
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
        """Refuse what would be read differently later: a float, and a moment without a time zone."""
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
    """What the sources that were asked said.

    Attributes:
        prices: one for each currency, in the order in which they were asked for.
        quotes: everything that came, by currency and then in the order of the sources.
        dropped: those quotes that lie too far from the others to be used.
        failures: why sources gave no price, or none in some of the currencies; each reason once.
    """

    prices: tuple[Price, ...]
    quotes: tuple[Price, ...]
    dropped: tuple[Price, ...] = ()
    failures: tuple[PriceUnavailable, ...] = ()

    @property
    def answered(self) -> tuple[str, ...]:
        """Return the names of the sources that gave a price, in at least one currency."""
        return tuple(dict.fromkeys(quote.source for quote in self.quotes))


def parse_amount(value: object) -> Decimal:
    """Return an amount of money from JSON, without a float in between.

    Args:
        value: the text of a number, or a `Decimal` that was read with `parse_float=Decimal`.

    Raises:
        ValueError: it is not a finite number above zero of at most 20 digits on either side of the point.
    """
    text = str(value) if isinstance(value, Decimal) else value
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise ValueError(f"{str(value)[:80]!r} is not an amount")
    amount = Decimal(text)
    places = -int(amount.as_tuple().exponent)
    if not 0 < amount < Decimal("1e20") or places > PLACES:
        raise ValueError(f"{text[:80]!r} is not an amount above zero with at most {PLACES} places")
    return amount
