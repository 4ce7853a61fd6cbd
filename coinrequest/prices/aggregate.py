"""Combines the quotes of several sources into one price.

The prices of exchanges differ by some tenths of a percent. A quote that differs by much more comes from a thin market,
a wrong unit or a fault. Such an outlier is dropped if

- there are at least three quotes: with two, it is unclear which one is wrong; and
- its distance from the median is more than five times the median absolute deviation (MAD) *and* more than 5 % of the
  median. The MAD measures the real spread of the quotes, and an outlier hardly changes it; five times the MAD are the
  3.5 standard deviations that Iglewicz and Hoaglin recommend (How to Detect and Handle Outliers, 1993). The second
  bound matters when quotes agree nearly to the cent: their MAD is almost zero, and would exclude good quotes.

In a fast market all quotes differ, the MAD is large, and none is dropped.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal, get_args

from coinrequest.prices.price import PLACES, Price

Aggregate = Literal["median", "mean", "first"]
AGGREGATES: tuple[str, ...] = get_args(Aggregate)

MIN_QUOTES = 3
DEVIATIONS = Decimal(5)
TOLERANCE = Decimal("0.05")

# An amount has at most twice `PLACES` digits, so the sum of a million amounts and the half of any are exact.
_CONTEXT = Context(prec=2 * PLACES + 20, rounding=ROUND_HALF_EVEN)


def combine(quotes: Sequence[Price], aggregate: Aggregate) -> tuple[Price, tuple[Price, ...]]:
    """Return the combined price of a pair, and the quotes that were dropped.

    Args:
        quotes: one or more quotes of the same pair, in the order of their sources.
        aggregate: `median` (for an even number, the mean of the two in the middle), `mean` (rounded half to even, with
            one place more than the most precise quote), or `first` (the first quote; none is dropped).

    Returns:
        The quote itself if there is only one. Otherwise a price whose `source` names the aggregate and the sources; it
        has no bid, ask or exchange time, because those belong to a single source.
    """
    if aggregate == "first" or len(quotes) == 1:
        return quotes[0], ()
    kept, dropped = _without_outliers(quotes)
    amounts = [quote.amount for quote in kept]
    amount = median(amounts) if aggregate == "median" else mean(amounts)
    combined = replace(
        kept[0],
        amount=amount,
        source=f"{aggregate} of {', '.join(quote.source for quote in kept)}",
        fetched_at=min(quote.fetched_at for quote in kept),
        bid=None,
        ask=None,
        exchange_time=None,
    )
    return combined, dropped


def median(amounts: Sequence[Decimal]) -> Decimal:
    """Return the median of one or more amounts, exact to `PLACES` places."""
    return _rounded_mean(_middle(amounts))


def mean(amounts: Sequence[Decimal]) -> Decimal:
    """Return the mean of one or more amounts, with one place more than the most precise of them."""
    return _rounded_mean(amounts)


def _middle(amounts: Sequence[Decimal]) -> Sequence[Decimal]:
    """Return the amount in the middle, or the two in the middle."""
    ordered = sorted(amounts)
    return ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]


def _mean(amounts: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = _CONTEXT.add(total, amount)
    return _CONTEXT.divide(total, Decimal(len(amounts)))


def _rounded_mean(amounts: Sequence[Decimal]) -> Decimal:
    """Return the mean with one place more than the most precise amount, unless that place is zero."""
    places = max(0, *(-int(amount.as_tuple().exponent) for amount in amounts))
    step = Decimal(1).scaleb(-min(places + 1, PLACES))
    rounded = _CONTEXT.quantize(_mean(amounts), step)
    shorter = _CONTEXT.quantize(rounded, Decimal(1).scaleb(-places))
    return shorter if shorter == rounded else rounded


def _without_outliers(quotes: Sequence[Price]) -> tuple[tuple[Price, ...], tuple[Price, ...]]:
    if len(quotes) < MIN_QUOTES:
        return tuple(quotes), ()
    # The median is not rounded as a price is; otherwise more than half of the quotes could be dropped.
    centre = _mean(_middle([quote.amount for quote in quotes]))
    distances = {quote.source: _CONTEXT.abs(_CONTEXT.subtract(quote.amount, centre)) for quote in quotes}
    deviation = _mean(_middle(list(distances.values())))
    allowed = max(_CONTEXT.multiply(DEVIATIONS, deviation), _CONTEXT.multiply(TOLERANCE, centre))
    kept = tuple(quote for quote in quotes if distances[quote.source] <= allowed)
    dropped = tuple(quote for quote in quotes if distances[quote.source] > allowed)
    return kept, dropped
