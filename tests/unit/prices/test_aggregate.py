"""Several quotes are combined into one price."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.prices import Price
from coinrequest.prices.aggregate import AGGREGATES, Aggregate, combine, mean, median
from coinrequest.prices.price import PLACES, parse_amount

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AMOUNTS = st.decimals(min_value="1e-20", max_value="9" * 20, allow_nan=False, allow_infinity=False).map(
    lambda amount: max(amount.quantize(Decimal(1).scaleb(-min(20, 27 - len(str(int(amount)))))), Decimal("1e-20"))
)
SEVERAL = st.lists(AMOUNTS, min_size=1, max_size=10)


def quotes(*amounts: object) -> list[Price]:
    return [
        Price(
            base="BTC",
            quote="USD",
            amount=Decimal(str(amount)),
            bid=Decimal(1),
            source=f"s{number}",
            fetched_at=NOW + timedelta(seconds=number),
            exchange_time=NOW,
        )
        for number, amount in enumerate(amounts)
    ]


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_the_smallest_and_the_largest_amounts_can_be_combined(aggregate: Aggregate) -> None:
    for one, other in (("1e-25", "3e-25"), ("5e-324", "5e-324"), ("1e308", "3e308"), ("1e-324", "1e308")):
        found, _ = combine(quotes(one, other), aggregate)
        middle = (Fraction(one) + Fraction(other)) / 2
        assert Fraction(found.amount) == (Fraction(one) if aggregate == "first" else middle)


@given(SEVERAL)
def test_the_median_is_exact(amounts: list[Decimal]) -> None:
    ordered = sorted(Fraction(amount) for amount in amounts)
    exact = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    # Half of a last possible place is rounded.
    assert abs(Fraction(median(amounts)) - exact) <= Fraction(1, 2 * 10**PLACES)
    if all(-int(amount.as_tuple().exponent) < PLACES for amount in amounts):
        assert Fraction(median(amounts)) == exact


@given(SEVERAL)
def test_the_mean_is_rounded_to_one_more_place(amounts: list[Decimal]) -> None:
    exact = sum((Fraction(amount) for amount in amounts), Fraction()) / len(amounts)
    places = min(PLACES, max(0, *(-int(amount.as_tuple().exponent) for amount in amounts)) + 1)
    assert abs(Fraction(mean(amounts)) - exact) <= Fraction(1, 2 * 10**places)


@given(SEVERAL, st.randoms())
def test_the_order_of_quotes_does_not_matter_and_the_price_is_within_them(
    amounts: list[Decimal], random: object
) -> None:
    shuffled = sorted(amounts, key=lambda _amount: random.random())  # type: ignore[attr-defined]
    for function in (median, mean):
        found = function(amounts)
        assert found == function(shuffled)
        assert min(amounts) <= found <= max(amounts)
        assert parse_amount(format(found, "f")) == found


@given(SEVERAL, st.sampled_from(AGGREGATES))
def test_every_quote_is_used_or_dropped_and_most_are_used(amounts: list[Decimal], aggregate: Aggregate) -> None:
    found, dropped = combine(quotes(*amounts), aggregate)
    assert found.amount > 0
    assert len(dropped) * 2 < len(amounts)
    assert (found.base, found.quote) == ("BTC", "USD")
    if len(amounts) < 3 or aggregate == "first":
        assert dropped == ()


@given(AMOUNTS, st.integers(1, 10), st.sampled_from(AGGREGATES))
def test_equal_quotes_are_the_price(amount: Decimal, count: int, aggregate: Aggregate) -> None:
    found, dropped = combine(quotes(*[amount] * count), aggregate)
    assert (str(found.amount), dropped) == (str(amount), ())


@pytest.mark.parametrize(
    ("amounts", "dropped"),
    [
        ((100, 101, 200), [200]),  # two agree
        ((100, 101, 102, 5), [5]),
        ((100, 100, 104.9), []),  # within 5 %
        ((100, 100, 105.1), [105.1]),
        ((100, 150, 200), []),  # nobody agrees
        ((100, 200), []),  # who is to say
        ((100, 110, 90, 105, 95), []),  # a fast market
        ((100, 100.1, 99.9, 1, 10000), [1, 10000]),
        (("1e-20", "1e-20", "2e-20", "2e-20"), []),
        (("1e-400", "1e-400", "2e-400", "2e-400"), []),  # the middle has more places than a price
    ],
)
def test_outliers_are_dropped(amounts: tuple[object, ...], dropped: list[float]) -> None:
    for aggregate in ("median", "mean"):
        _found, left_out = combine(quotes(*amounts), aggregate)
        assert [float(quote.amount) for quote in left_out] == dropped


def test_a_combined_price_names_its_sources_and_the_oldest_time() -> None:
    found, dropped = combine(quotes(500, 100, 102, 101.5), "median")
    assert found.source == "median of s1, s2, s3"
    assert [quote.source for quote in dropped] == ["s0"]
    assert str(found.amount) == "101.5"
    assert found.fetched_at == NOW + timedelta(seconds=1)
    assert (found.bid, found.ask, found.exchange_time) == (None, None, None)


def test_a_single_quote_and_the_first_quote_are_unchanged() -> None:
    several = quotes(3, 1, 2)
    assert combine(several, "first") == (several[0], ())
    assert combine(several[:1], "mean") == (several[0], ())


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [(("10.00", "10.01"), "10.005"), (("10.00", "10.02"), "10.01"), (("1", "1", "2"), "1.3"), (("7", "8", "9"), "8")],
)
def test_a_mean_has_no_more_places_than_it_needs(amounts: tuple[str, ...], expected: str) -> None:
    assert str(mean([Decimal(amount) for amount in amounts])) == expected


def test_the_aggregates_are_those_of_the_type() -> None:
    assert get_args(Aggregate) == AGGREGATES == ("median", "mean", "first")
