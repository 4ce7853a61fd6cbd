"""A price, exactly as a source gave it."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

# Twenty digits on either side of the point is more than any coin or currency has.
_AMOUNT = re.compile(r"\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,2})?", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9]{2,12}", re.ASCII)
# Kraken's own names, which its users write too: https://support.kraken.com/articles/360001206766
_ALIASES = {"XBT": "BTC", "XDG": "DOGE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one unit of a coin costs in a currency, at one source, at one moment.

    Attributes:
        base: the coin, such as `BTC`.
        quote: the currency, such as `EUR`.
        amount: units of `quote` for one unit of `base`; exact and above zero.
        source: the name of the source.
        fetched_at: when the answer was received, in UTC.
        bid: the best price that a buyer offers, if the source says.
        ask: the best price that a seller asks, if the source says.
        exchange_time: when the source says that the price was made, if it does.
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
        """Refuse a moment without a time zone, which would be read differently on each machine."""
        if self.fetched_at.tzinfo is None:
            raise ValueError("fetched_at needs a time zone")


def normalise_symbol(symbol: str) -> str:
    """Return a coin's or currency's code in its usual form: upper case, and `BTC` for `XBT`.

    Raises:
        ValueError: it is not 2 to 12 letters and digits.
    """
    plain = symbol.strip().upper()
    if not _SYMBOL.fullmatch(plain):
        raise ValueError(f"{symbol[:50]!r} is not the code of a coin or currency")
    return _ALIASES.get(plain, plain)


def read_amount(value: object) -> Decimal:
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
    if not 0 < amount < Decimal("1e20") or places > 20:
        raise ValueError(f"{text[:80]!r} is not an amount above zero with at most 20 places")
    return amount
