"""The codes of coins and currencies."""

import subprocess
import sys

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.prices.symbols import (
    COINS,
    COMMON_CURRENCIES,
    normalise_coin,
    normalise_currencies,
    normalise_currency,
)

ISO = {currency.code for currency in iso4217.Currency} - {"XXX", "XTS"}


@pytest.mark.parametrize(
    ("written", "meant"), [("btc", "BTC"), (" XBT ", "BTC"), ("xdg", "DOGE"), ("doge", "DOGE"), ("1inch", "1INCH")]
)
def test_codes_of_coins_are_normalised(written: str, meant: str) -> None:
    assert normalise_coin(written) == meant


@pytest.mark.parametrize("code", ["", "B", "BTC/USD", "BTC USD", "ÄÖÜ", "A" * 13, "BT\nC", "BTC&x=1", "\uff22TC"])
def test_malformed_codes_are_refused(code: str) -> None:
    for normalise in (normalise_coin, normalise_currency):
        with pytest.raises(ValueError, match="is not the code"):
            normalise(code)


@given(st.sampled_from(sorted(ISO | set(COINS))), st.booleans())
def test_every_currency_and_every_known_coin_is_accepted(code: str, lower: bool) -> None:
    written = code.lower() if lower else code
    assert normalise_currency(f" {written} ") == code
    assert normalise_currency(normalise_currency(written)) == code


@given(st.from_regex(r"[A-Z]{3}", fullmatch=True).filter(lambda code: code not in ISO | set(COINS)))
def test_an_unknown_currency_is_refused(code: str) -> None:
    if code not in {"XBT", "XDG"}:
        with pytest.raises(ValueError, match=r"no currency|did you mean '[A-Z0-9]+'"):
            normalise_currency(code)


@pytest.mark.parametrize(
    ("code", "nearest"),
    [("EURO", "EUR"), ("USDD", "USD"), ("UDS", "USD"), ("GPB", "GBP"), ("USTD", "USDT"), ("BTX", "BTC")],
)
def test_an_unknown_currency_gets_the_nearest_code(code: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"{code}' is neither .* did you mean '{nearest}'"):
        normalise_currency(code)


@pytest.mark.parametrize("code", ["XXX", "XTS", "xts"])
def test_codes_for_tests_are_not_currencies(code: str) -> None:
    with pytest.raises(ValueError, match=f"{code.upper()}' is not a currency: ISO 4217 reserves it"):
        normalise_currency(code)


def test_duplicate_currencies_are_removed_in_order() -> None:
    assert normalise_currencies(["usd", "EUR", "USD", "xbt", "BTC"]) == ("USD", "EUR", "BTC")


def test_the_lists_agree_with_the_standard() -> None:
    assert COMMON_CURRENCIES <= ISO
    assert not set(COINS) & ISO
    assert len(set(COINS.values())) == len(COINS)


def test_iso4217_is_loaded_for_uncommon_codes_only() -> None:
    program = (
        "import sys; from coinrequest.prices.symbols import normalise_currencies;"
        "normalise_currencies(['USD', 'EUR', 'USDT']); assert 'iso4217' not in sys.modules;"
        "normalise_currencies(['ISK']); assert 'iso4217' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
