import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from support.http_stub import HttpStub, Reply

import coinrequest
from coinrequest.btc_price import BTCPrice, BtcPrice, PricesInvalid
from coinrequest.prices.errors import BadResponse, PriceUnavailable

RATES = json.dumps({"data": {"rates": {"USD": "43211.0150", "GBP": "34000.1", "EUR": "0.00000001"}}}).encode()


@pytest.fixture
def exchange(http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> HttpStub:
    monkeypatch.setenv("COINREQUEST_PRICE_URL", http_stub.url)
    http_stub.replies = [Reply(body=RATES)]
    return http_stub


def test_the_prices_have_currency_exact_rate_and_a_date_with_an_offset(exchange: HttpStub) -> None:
    prices = BTCPrice.get_btc_prices()
    assert [(price["currency"], price["rate"]) for price in prices] == [
        ("USD", "43211.0150"),
        ("GBP", "34000.1"),
        ("EUR", "0.00000001"),
    ]
    assert all(set(price) == {"currency", "rate", "price_date"} for price in prices)
    date = datetime.fromisoformat(prices[0]["price_date"])
    assert abs(date - datetime.now(UTC)) < timedelta(seconds=30)
    json.dumps(prices)


def test_the_date_is_new_on_every_call_of_the_class_and_of_an_object(exchange: HttpStub) -> None:
    dates = [BTCPrice.get_btc_prices()[0]["price_date"], BTCPrice().get_btc_prices()[0]["price_date"]]
    assert dates[0] < dates[1]
    assert len(exchange.hits) == 2


def test_currencies_and_source_can_be_chosen(exchange: HttpStub) -> None:
    (price,) = BTCPrice.get_btc_prices(["eur"], source="coinbase")
    assert price["currency"] == "EUR"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(503), PriceUnavailable),
        (Reply(body=b"<html>"), BadResponse),
        (Reply(body=b'{"data": {"rates": {"USD": "x", "GBP": "1", "EUR": "1"}}}'), BadResponse),
    ],
)
def test_a_failure_is_a_typed_error(exchange: HttpStub, reply: Reply, error: type[PriceUnavailable]) -> None:
    exchange.replies = [reply]
    with pytest.raises(error, match="coinbase"):
        BTCPrice.get_btc_prices()


def test_the_three_steps_end_in_a_readable_mail(exchange: HttpStub) -> None:
    text = BTCPrice.process_prices(BTCPrice.get_btc_prices())
    assert [price["currency"] for price in json.loads(text)] == ["USD", "GBP", "EUR"]
    mail = BTCPrice.compose_price_email(text)
    assert mail["subject"] == "Bitcoin price: USD 43,211.0150"
    assert set(mail) == {"subject", "body"}
    rows = [line.split()[:2] for line in mail["body"].splitlines()[2:]]
    assert rows == [["Currency", "Rate"], ["USD", "43,211.0150"], ["GBP", "34,000.1"], ["EUR", "0.00000001"]]


def test_the_mail_is_html_too(exchange: HttpStub) -> None:
    text = BTCPrice.process_prices(BTCPrice.get_btc_prices())
    html = BTCPrice.compose_price_html(text)
    assert html.startswith("<!DOCTYPE html>")
    for shown in ("Bitcoin price", ">USD</th>", ">43,211.0150</td>", ">EUR</th>", ">0.00000001</td>"):
        assert shown in html


def test_several_configured_sources_give_the_median(exchange: HttpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COINREQUEST_PRICE_URL")
    monkeypatch.setenv("COINREQUEST_PRICE_SOURCE", "coinbase, bitstamp")
    for name in ("COINBASE", "BITSTAMP"):
        monkeypatch.setenv(f"COINREQUEST_PRICE_URL_{name}", exchange.url)
    exchange.answer = lambda hit: Reply(body=RATES if hit.path.startswith("/v2") else b'{"last": "43212.0150"}')
    (price,) = BTCPrice.get_btc_prices(["USD"])
    assert price["rate"] == "43211.5150"
    assert set(price) == {"currency", "rate", "price_date"}


def test_rates_may_be_numbers() -> None:
    price = {"currency": "USD", "rate": Decimal("1.50"), "price_date": "2026-01-01T00:00:00+00:00"}
    text = BTCPrice.process_prices([price])  # type: ignore[list-item]
    assert json.loads(text)[0]["rate"] == "1.50"


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        ({}, "must be a list, not dict"),
        (["x"], "must be an object, not str"),
        ([{"currency": "USD"}], "no rate and no price_date"),
        ([{"currency": "USD", "rate": None, "price_date": "x"}], "no rate"),
    ],
)
def test_malformed_prices_are_a_clear_error(prices: list[BtcPrice], message: str) -> None:
    with pytest.raises(PricesInvalid, match=message):
        BTCPrice.process_prices(prices)
    with pytest.raises(PricesInvalid, match=message):
        BTCPrice.compose_price_email(json.dumps(prices))


def test_invalid_json_is_a_clear_error() -> None:
    with pytest.raises(PricesInvalid, match="not JSON"):
        BTCPrice.compose_price_email("{")
    with pytest.raises(PricesInvalid, match="not JSON"):
        BTCPrice.compose_price_html("{")


def test_a_mail_without_prices_says_so() -> None:
    assert BTCPrice.compose_price_email("[]")["subject"] == "Bitcoin price: no prices"


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = (
        "import sys, coinrequest; heavy = {'requests', 'pycurl', 'pydantic', 'json', 'airflow',"
        "'coinrequest.btc_price'} & set(sys.modules); assert not heavy, heavy;"
        "from coinrequest import BTCPrice, __version__; assert BTCPrice.process_prices and __version__;"
        "assert 'requests' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_package_has_its_public_names_only() -> None:
    assert coinrequest.BTCPrice is BTCPrice
    assert coinrequest.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'ETHPrice'"):
        coinrequest.ETHPrice  # noqa: B018
