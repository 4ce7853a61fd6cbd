"""Make one price of several.

Exchanges differ by some tenths of a percent. One that differs by much more has a thin market, a wrong unit or a fault,
and is left out, by two rules together:

- at least three quotes: of two that differ nobody can say which is wrong;
- further from the median than five times the median absolute deviation (MAD), *and* than 5 % of the median. The first
  follows how far the quotes really lie apart, and a wrong quote hardly moves it; five are the 3.5 standard deviations
  that Iglewicz and Hoaglin recommend (How to Detect and Handle Outliers, 1993). The second keeps quotes that agree
  nearly to the cent, whose MAD is next to nothing, from shutting out a neighbour.

Where all differ (a fast market) the MAD is large, and nothing is left out: there is no majority to believe.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal, get_args

from coinrequest.prices.price import PLACES, Price

Aggregate = Literal["median", "mean", "first"]
AGGREGATES: tuple[str, ...] = get_args(Aggregate)

LEAST_QUOTES = 3
DEVIATIONS = Decimal(5)
TOLERANCE = Decimal("0.05")

# An amount has at most 40 digits (`parse_amount`): a sum of a million of them, and any half of one, are exact.
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def combine(quotes: Sequence[Price], aggregate: Aggregate) -> tuple[Price, tuple[Price, ...]]:
    """Return the price of one pair, and the quotes that were left out.

    Args:
        quotes: at least one, of the same pair, in the order of their sources.
        aggregate: `median` (exact: of an even number the mean of the two in the middle), `mean` (rounded half to even,
            to one place more than its most precise quote has), or `first` (the first quote, none left out).

    Returns:
        The one quote itself where only one is left; otherwise a price that says how it was made, without bid, ask and
        exchange's time, which are one source's own.
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
    """Return the median of at least one amount, exact to `PLACES` places."""
    return _divided(_middle(amounts))


def mean(amounts: Sequence[Decimal]) -> Decimal:
    """Return the mean of at least one amount, with one place more than the most precise of them."""
    return _divided(amounts)


def _middle(amounts: Sequence[Decimal]) -> Sequence[Decimal]:
    """Return the one amount in the middle, or the two."""
    ordered = sorted(amounts)
    return ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]


def _mean(amounts: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = _CONTEXT.add(total, amount)
    return _CONTEXT.divide(total, Decimal(len(amounts)))


def _divided(amounts: Sequence[Decimal]) -> Decimal:
    """Return the mean with one place more than the most precise amount has."""
    places = max(0, *(-int(amount.as_tuple().exponent) for amount in amounts))
    step = Decimal(1).scaleb(-min(places + 1, PLACES))
    divided = _CONTEXT.quantize(_mean(amounts), step)
    # The place that was added stays only where it says something.
    short = _CONTEXT.quantize(divided, Decimal(1).scaleb(-places))
    return short if short == divided else divided


def _without_outliers(quotes: Sequence[Price]) -> tuple[tuple[Price, ...], tuple[Price, ...]]:
    if len(quotes) < LEAST_QUOTES:
        return tuple(quotes), ()
    # Not rounded as a price is, so that of any quotes most are kept.
    centre = _mean(_middle([quote.amount for quote in quotes]))
    distances = {quote.source: _CONTEXT.abs(_CONTEXT.subtract(quote.amount, centre)) for quote in quotes}
    deviation = _mean(_middle(list(distances.values())))
    allowed = max(_CONTEXT.multiply(DEVIATIONS, deviation), _CONTEXT.multiply(TOLERANCE, centre))
    kept = tuple(quote for quote in quotes if distances[quote.source] <= allowed)
    dropped = tuple(quote for quote in quotes if distances[quote.source] > allowed)
    return kept, dropped
