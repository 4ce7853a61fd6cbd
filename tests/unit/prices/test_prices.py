import json
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stubs import Hit, HttpStub, Reply

from coinrequest.prices import client
from coinrequest.prices.errors import BadResponse, PriceUnavailable, RateLimited, UnknownCoin
from coinrequest.prices.lookup import find_source, get_prices, source_names
from coinrequest.prices.price import Price, normalise_symbol, read_amount
from coinrequest.prices.sources import Coinbase, Kraken


def rates(**amounts: object) -> Reply:
    return Reply(body=json.dumps({"data": {"currency": "BTC", "rates": amounts}}).encode())


def ticker(last: object, bid: object = "1.0", ask: object = "3.0", **more: object) -> Reply:
    pair = {"a": [ask, "1", "1.000"], "b": [bid, "1", "1.000"], "c": [last, "0.1"], "v": ["1", "2"], **more}
    return Reply(body=json.dumps({"error": [], "result": {"XXBTZUSD": pair}}).encode())


@pytest.fixture
def coinbase(http_stub: HttpStub) -> Coinbase:
    return Coinbase(http_stub.url, timeout=5)


@pytest.fixture
def kraken(http_stub: HttpStub) -> Kraken:
    return Kraken(http_stub.url, timeout=5)


def test_coinbase_gives_exact_prices_for_one_request(http_stub: HttpStub, coinbase: Coinbase) -> None:
    http_stub.replies = [rates(USD="43211.015000000000001", EUR="40000", GBP="0.1")]
    before = datetime.now(UTC)
    prices = coinbase.prices("BTC", ["EUR", "USD"])
    assert [(price.quote, price.amount) for price in prices] == [
        ("EUR", Decimal("40000")),
        ("USD", Decimal("43211.015000000000001")),
    ]
    assert {(price.base, price.source) for price in prices} == {("BTC", "coinbase")}
    assert all(before <= price.fetched_at <= datetime.now(UTC) for price in prices)
    assert [hit.path for hit in http_stub.hits] == ["/v2/exchange-rates?currency=BTC"]
    assert http_stub.hits[0].headers["user-agent"].startswith("coinrequest/")


def test_a_number_in_the_json_keeps_every_digit(http_stub: HttpStub, coinbase: Coinbase) -> None:
    http_stub.replies = [Reply(body=b'{"data": {"rates": {"USD": 43211.0100000000000000001, "EUR": 7}}}')]
    prices = coinbase.prices("BTC", ["USD", "EUR"])
    assert [str(price.amount) for price in prices] == ["43211.0100000000000000001", "7"]


def test_coinbase_names_the_currency_that_it_has_no_price_in(http_stub: HttpStub, coinbase: Coinbase) -> None:
    http_stub.replies = [rates(USD="1")]
    with pytest.raises(UnknownCoin, match="coinbase: there is no price of BTC in XXX, YYY"):
        coinbase.prices("BTC", ["USD", "XXX", "YYY"])


def test_coinbase_says_that_it_does_not_know_the_coin(http_stub: HttpStub, coinbase: Coinbase) -> None:
    errors = {"errors": [{"id": "invalid_request", "message": "Invalid currency (NOPE)"}]}
    http_stub.replies = [Reply(400, json.dumps(errors).encode())]
    with pytest.raises(UnknownCoin, match=r"status 400: Invalid currency \(NOPE\)"):
        coinbase.prices("NOPE", ["USD"])


def test_kraken_gives_last_bid_and_ask_by_its_own_names(http_stub: HttpStub, kraken: Kraken) -> None:
    http_stub.replies = [ticker("43211.01000", "43211.00000", "43212.00000")]
    usd, eur = kraken.prices("BTC", ["USD", "EUR"])
    assert (usd.quote, usd.amount, usd.bid, usd.ask) == (
        "USD",
        Decimal("43211.01000"),
        Decimal("43211.00000"),
        Decimal("43212.00000"),
    )
    assert eur.quote == "EUR"
    assert [hit.path for hit in http_stub.hits] == [
        "/0/public/Ticker?pair=XBTUSD",
        "/0/public/Ticker?pair=XBTEUR",
    ]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("EQuery:Unknown asset pair", UnknownCoin),
        ("EAPI:Rate limit exceeded", RateLimited),
        ("EGeneral:Too many requests", RateLimited),
        ("EService:Unavailable", PriceUnavailable),
    ],
)
def test_kraken_reports_errors_with_status_200(
    http_stub: HttpStub, kraken: Kraken, error: str, kind: type[PriceUnavailable]
) -> None:
    http_stub.replies = [Reply(body=json.dumps({"error": [error]}).encode())]
    with pytest.raises(PriceUnavailable) as caught:
        kraken.prices("BTC", ["USD"])
    assert type(caught.value) is kind
    assert caught.value.source == "kraken"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>down for maintenance</html>",
        b"[]",
        b"null",
        b"{}",
        b'{"data": []}',
        b'{"data": {"rates": null}}',
        b'{"data": {"rates": {"USD": null}}}',
        b'{"data": {"rates": {"USD": true}}}',
        b'{"data": {"rates": {"USD": []}}}',
        b'{"data": {"rates": {"USD": NaN}}}',
        b'{"data": {"rates": {"USD": "NaN"}}}',
        b'{"data": {"rates": {"USD": "Infinity"}}}',
        b'{"data": {"rates": {"USD": "-1"}}}',
        b'{"data": {"rates": {"USD": "0"}}}',
        b'{"data": {"rates": {"USD": "1_000"}}}',
        b'{"data": {"rates": {"USD": " 1"}}}',
        b'{"data": {"rates": {"USD": "1e99"}}}',
        b'{"data": {"rates": {"USD": "1e-99"}}}',
        b'{"data": {"rates": {"USD": ' + b"9" * 40 + b"}}}",
        b'{"data": {"rates": {"USD": ' + b"9" * 5000 + b"}}}",
        b'{"data": {"rates": {"USD": "1.0',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_what_is_no_price_is_a_bad_response(http_stub: HttpStub, coinbase: Coinbase, body: bytes) -> None:
    http_stub.replies = [Reply(body=body)]
    with pytest.raises(BadResponse) as caught:
        coinbase.prices("BTC", ["USD"])
    assert str(caught.value).startswith("coinbase: ")


@pytest.mark.parametrize(
    "body",
    [b'{"error": [], "result": {}}', b'{"result": {"A": {}}}', b'{"result": {"A": {"c": []}}}', b'{"result": 1}'],
)
def test_kraken_in_another_form_is_a_bad_response(http_stub: HttpStub, kraken: Kraken, body: bytes) -> None:
    http_stub.replies = [Reply(body=body)]
    with pytest.raises(BadResponse):
        kraken.prices("BTC", ["USD"])


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_server_that_fails_has_no_price(http_stub: HttpStub, coinbase: Coinbase, status: int) -> None:
    http_stub.replies = [Reply(status, b"<html>oops</html>")]
    with pytest.raises(PriceUnavailable, match=f"status {status}"):
        coinbase.prices("BTC", ["USD"])


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), (None, None), ("soon", None)])
def test_too_many_requests_say_when_to_come_back(
    http_stub: HttpStub, coinbase: Coinbase, header: str | None, seconds: float | None
) -> None:
    http_stub.replies = [Reply(429, headers={"Retry-After": header} if header else {})]
    with pytest.raises(RateLimited) as caught:
        coinbase.prices("BTC", ["USD"])
    assert caught.value.retry_after == seconds


def test_the_moment_to_come_back_may_be_a_date(http_stub: HttpStub, coinbase: Coinbase) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    http_stub.replies = [Reply(429, headers={"Retry-After": moment})]
    with pytest.raises(RateLimited) as caught:
        coinbase.prices("BTC", ["USD"])
    assert caught.value.retry_after == pytest.approx(60, abs=5)


def test_a_redirect_is_not_followed(http_stub: HttpStub, coinbase: Coinbase) -> None:
    http_stub.replies = [Reply(302, headers={"Location": "/login"})]
    with pytest.raises(BadResponse, match="redirect to '/login'"):
        coinbase.prices("BTC", ["USD"])
    assert len(http_stub.hits) == 1


@pytest.mark.parametrize("in_body", [False, True])
def test_a_server_that_hangs_ends_in_time(http_stub: HttpStub, in_body: bool) -> None:
    release = threading.Event()
    http_stub.replies = [Reply(wait=release, wait_in_body=in_body, body=b'{"da', announced_length=100)]
    started = time.monotonic()
    with pytest.raises(PriceUnavailable, match=r"within 0\.3 seconds"):
        Coinbase(http_stub.url, timeout=0.3).prices("BTC", ["USD"])
    release.set()
    assert time.monotonic() - started < 2


def test_an_answer_that_breaks_off_has_no_price(http_stub: HttpStub, coinbase: Coinbase) -> None:
    http_stub.replies = [Reply(body=b'{"data"', announced_length=100)]
    with pytest.raises(PriceUnavailable, match="broke off"):
        coinbase.prices("BTC", ["USD"])


def test_an_endless_answer_is_not_read_to_its_end(http_stub: HttpStub, coinbase: Coinbase) -> None:
    http_stub.replies = [Reply(body=b" " * (client.BODY_LIMIT + 1))]
    with pytest.raises(BadResponse, match="longer than"):
        coinbase.prices("BTC", ["USD"])


def test_nobody_listens(http_stub: HttpStub) -> None:
    http_stub.server.server_close()
    with pytest.raises(PriceUnavailable, match="coinbase: the request failed"):
        Coinbase(http_stub.url).prices("BTC", ["USD"])


def test_proxies_of_the_environment_are_ignored(
    http_stub: HttpStub, coinbase: Coinbase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    http_stub.replies = [rates(USD="1")]
    assert len(coinbase.prices("BTC", ["USD"])) == 1


def test_the_environment_chooses_source_and_address(http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_PRICE_SOURCE", "Kraken")
    monkeypatch.setenv("COINREQUEST_PRICE_URL", f"{http_stub.url}/")
    http_stub.replies = [ticker("5")]
    (price,) = get_prices("xbt", [" usd", "USD"])
    assert (price.base, price.quote, price.source, price.amount) == ("BTC", "USD", "kraken", Decimal(5))
    assert len(http_stub.hits) == 1


def test_the_address_replaces_that_of_the_configured_source_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_PRICE_URL", "http://127.0.0.1:1")
    assert find_source().base_url == "http://127.0.0.1:1"
    assert find_source("kraken").base_url == Kraken.public_url


def test_an_unknown_source_gets_the_nearest_name() -> None:
    assert source_names() == ("coinbase", "kraken")
    with pytest.raises(ValueError, match="did you mean 'kraken'"):
        find_source("krakn")
    with pytest.raises(ValueError, match="there are coinbase, kraken"):
        find_source("zzz")


def test_a_price_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Price(base="BTC", quote="USD", amount=Decimal(1), source="x", fetched_at=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("symbol", ["", "B", "BTC/USD", "BTC USD", "ÄÖÜ", "A" * 13, "BT\nC", "BTC&x=1"])
def test_what_is_no_symbol_is_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match="is not the code"):
        normalise_symbol(symbol)


@given(st.decimals(min_value="1e-20", max_value="9" * 20, places=20))
def test_an_amount_survives_exactly(amount: Decimal) -> None:
    assert read_amount(format(amount, "f")) == amount


def test_hits_carry_no_credentials(http_stub: HttpStub, coinbase: Coinbase) -> None:
    http_stub.replies = [rates(USD="1")]
    coinbase.prices("BTC", ["USD"])
    hit: Hit = http_stub.hits[0]
    assert "authorization" not in hit.headers
    assert "cookie" not in hit.headers
