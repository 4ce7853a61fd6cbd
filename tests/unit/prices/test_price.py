"""Prices and amounts."""

import copy
import operator
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.prices import Price
from coinrequest.prices.price import parse_amount

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRICE = Price(base="BTC", quote="USD", amount=Decimal("2.50"), source="kraken", fetched_at=NOW)


@pytest.mark.parametrize("field", ["fetched_at", "exchange_time"])
def test_a_time_without_a_zone_is_refused(field: str) -> None:
    naive: dict[str, Any] = {field: datetime(2026, 1, 1)}  # noqa: DTZ001
    with pytest.raises(ValueError, match=f"{field} needs a time zone"):
        replace(PRICE, **naive)


@pytest.mark.parametrize("field", ["amount", "bid", "ask"])
@pytest.mark.parametrize("value", [1.5, 1, "1", Decimal(0), Decimal(-1), Decimal("NaN"), Decimal("Infinity")])
def test_an_amount_is_a_decimal_above_zero(field: str, value: Any) -> None:
    wrong: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=f"{field} must be a Decimal above zero"):
        replace(PRICE, **wrong)


def test_prices_with_equal_attributes_are_equal_and_hashable() -> None:
    elsewhere = replace(PRICE, amount=Decimal("2.5"), fetched_at=NOW.astimezone(timezone(timedelta(hours=2))))
    assert elsewhere == PRICE
    assert len({elsewhere, PRICE, replace(PRICE, source="coinbase")}) == 2
    assert pickle.loads(pickle.dumps(PRICE)) == copy.copy(PRICE) == PRICE  # noqa: S301 - made here


def test_only_prices_of_the_same_pair_can_be_ordered() -> None:
    cheap, dear = replace(PRICE, amount=Decimal(1), source="z"), replace(PRICE, amount=Decimal(3), source="a")
    assert sorted([dear, PRICE, cheap]) == [cheap, PRICE, dear]
    assert cheap < PRICE <= PRICE < dear
    assert dear > PRICE >= PRICE > cheap
    for other in (replace(PRICE, quote="EUR"), replace(PRICE, base="ETH"), 5):
        for compare in (operator.lt, operator.le, operator.gt, operator.ge):
            with pytest.raises(TypeError):
                compare(PRICE, other)


@given(st.decimals(min_value="1e-20", max_value="9" * 20, places=20))
def test_an_amount_is_parsed_exactly_from_text_and_number(amount: Decimal) -> None:
    assert parse_amount(format(amount, "f")) == amount
    assert parse_amount(amount) == amount


@given(st.text(max_size=50) | st.floats() | st.integers() | st.none() | st.booleans() | st.lists(st.integers()))
def test_any_value_is_an_amount_above_zero_or_an_error(value: object) -> None:
    try:
        amount = parse_amount(value)
    except ValueError:
        pass
    else:
        assert isinstance(value, str)
        assert amount > 0


@pytest.mark.parametrize(
    "value",
    [
        "1E-25",
        "0.0000000000000000000000012345",
        "1e-20",
        "5e-324",
        "1.7976931348623157e308",
        "1e+22",
        "1e99",
        "9" * 400,
        "1." + "0" * 399 + "1",
        ".5",
        "5.",
        "00.1",
    ],
)
def test_small_and_large_amounts_are_exact(value: str) -> None:
    assert parse_amount(value) == Decimal(value) == parse_amount(Decimal(value))
    assert Decimal(format(parse_amount(value), "f")) == Decimal(value)


@pytest.mark.parametrize("value", ["1e400", "1e-401", "9" * 401, "1e9999", "9e9999"])
def test_an_amount_of_absurd_length_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_amount(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " 1",
        "1_000",
        "1,5",
        "+1",
        "-1",
        "0",
        "0.0",
        "0e-10",
        "-0",
        "0x1",
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "٣",
        ".",
    ],
)
def test_what_only_looks_like_an_amount_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_amount(value)
