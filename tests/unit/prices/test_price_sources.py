"""Each source, with responses in the documented form and in others."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from support.http_stub import HttpStub, Reply
from support.recorded_prices import kraken_that_knows, rates, recorded, tickers

from coinrequest.prices import BadResponse, Price, PriceUnavailable, RateLimited, UnknownCoin
from coinrequest.prices.sources import SOURCES, check_source, open_source, source_names
from coinrequest.prices.sources.base import Source
from coinrequest.settings import SettingInvalid

MADE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["bitstamp", "coinbase", "coingecko", "kraken"])
def source(request: pytest.FixtureRequest, http_stub: HttpStub) -> Source:
    return SOURCES[request.param](f"{http_stub.url}/", timeout=5)


def ask(source: str, stub: HttpStub, coin: str, *currencies: str) -> list[Price | PriceUnavailable]:
    return list(SOURCES[source](stub.url, timeout=5).ask(coin, currencies))


def prices(source: str, stub: HttpStub, coin: str, *currencies: str) -> list[Price]:
    return [outcome for outcome in ask(source, stub, coin, *currencies) if isinstance(outcome, Price)]


def test_every_source_has_a_name_an_address_and_its_documentation() -> None:
    assert source_names() == ("bitstamp", "coinbase", "coingecko", "kraken")
    for name, kind in SOURCES.items():
        assert kind.name == name
        assert kind.public_url.startswith("https://")
        assert "https://" in (kind.__doc__ or "")


def test_coinbase_gives_exact_prices_for_one_request(http_stub: HttpStub) -> None:
    http_stub.replies = [recorded("coinbase")]
    before = datetime.now(UTC)
    found = prices("coinbase", http_stub, "BTC", "EUR", "USDT", "USD")
    assert [(price.quote, str(price.amount)) for price in found] == [
        ("EUR", "60001.25"),
        ("USDT", "65101.2345678901"),
        ("USD", "65123.4567"),
    ]
    assert {(price.base, price.source, price.bid, price.exchange_time) for price in found} == {
        ("BTC", "coinbase", None, None)
    }
    assert all(before <= price.fetched_at <= datetime.now(UTC) for price in found)
    assert [hit.path for hit in http_stub.hits] == ["/v2/exchange-rates?currency=BTC"]


def test_json_numbers_keep_every_digit(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(body=b'{"data": {"rates": {"USD": 43211.0100000000000000001, "EUR": 7}}}')]
    found = prices("coinbase", http_stub, "BTC", "USD", "EUR")
    assert [str(price.amount) for price in found] == ["43211.0100000000000000001", "7"]


def test_coinbase_reports_missing_currencies_and_returns_the_others(http_stub: HttpStub) -> None:
    http_stub.replies = [rates(USD="1")]
    usd, isk, nok = ask("coinbase", http_stub, "BTC", "USD", "ISK", "NOK")
    assert isinstance(usd, Price)
    assert isk is nok
    assert isinstance(isk, UnknownCoin)
    assert str(isk) == "coinbase: there is no price for BTC in ISK, NOK"


def test_coinbase_reports_an_unknown_coin(http_stub: HttpStub) -> None:
    http_stub.replies = [recorded("coinbase_unknown", 400)]
    with pytest.raises(UnknownCoin, match=r"status 400: Invalid currency \(NOPE\)"):
        ask("coinbase", http_stub, "NOPE", "USD")


def test_kraken_returns_last_bid_and_ask_of_all_pairs_in_one_request(http_stub: HttpStub) -> None:
    http_stub.replies = [recorded("kraken")]
    usd, eur = prices("kraken", http_stub, "BTC", "USD", "EUR")
    assert (usd.quote, str(usd.amount), str(usd.bid), str(usd.ask)) == (
        "USD",
        "65120.10000",
        "65120.00000",
        "65120.10000",
    )
    assert (eur.quote, str(eur.amount)) == ("EUR", "60000.10000")
    assert [hit.path for hit in http_stub.hits] == ["/0/public/Ticker?pair=XBTUSD%2CXBTEUR"]


def test_the_pair_names_of_kraken_are_supported(http_stub: HttpStub) -> None:
    http_stub.replies = [recorded("kraken"), tickers(XDGEUR="0.1"), tickers(XETHXXBT="0.05"), tickers(SOLUSD="150")]
    for coin, currency in (("USDT", "USD"), ("DOGE", "EUR"), ("ETH", "BTC"), ("SOL", "USD")):
        (price,) = prices("kraken", http_stub, coin, currency)
        assert (price.base, price.quote) == (coin, currency)
    assert [hit.path.partition("=")[2] for hit in http_stub.hits] == ["USDTUSD", "XDGEUR", "ETHXBT", "SOLUSD"]


def test_kraken_is_asked_for_each_pair_if_it_does_not_know_all(http_stub: HttpStub) -> None:
    http_stub.answer = kraken_that_knows("XBTUSD", "XBTEUR")
    usd, isk, eur = ask("kraken", http_stub, "BTC", "USD", "ISK", "EUR")
    assert isinstance(usd, Price)
    assert isinstance(eur, Price)
    assert isinstance(isk, UnknownCoin)
    assert str(isk) == "kraken: there is no price for BTC in ISK"
    assert len(http_stub.hits) == 4


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("EQuery:Unknown asset pair", UnknownCoin),
        ("EAPI:Rate limit exceeded", RateLimited),
        ("EGeneral:Too many requests", RateLimited),
        ("EService:Unavailable", PriceUnavailable),
    ],
)
def test_kraken_reports_errors_with_status_200(http_stub: HttpStub, error: str, kind: type[PriceUnavailable]) -> None:
    http_stub.replies = [Reply(body=json.dumps({"error": [error]}).encode())]
    with pytest.raises(PriceUnavailable) as caught:
        ask("kraken", http_stub, "BTC", "USD")
    assert type(caught.value) is kind
    assert caught.value.source == "kraken"


def test_bitstamp_returns_last_bid_ask_and_time_of_each_pair(http_stub: HttpStub) -> None:
    http_stub.replies = [recorded("bitstamp")]
    usd, eur = prices("bitstamp", http_stub, "BTC", "USD", "EUR")
    assert (str(usd.amount), str(usd.bid), str(usd.ask)) == ("65110.55", "65110.54", "65110.56")
    assert usd.exchange_time == MADE
    assert [hit.path for hit in http_stub.hits] == ["/api/v2/ticker/btcusd/", "/api/v2/ticker/btceur/"]
    assert eur.quote == "EUR"


@pytest.mark.parametrize("unknown", [recorded("bitstamp_unknown", 404), Reply(404, b"<html>Not found</html>")])
def test_bitstamp_reports_an_unknown_pair_and_returns_the_others(http_stub: HttpStub, unknown: Reply) -> None:
    http_stub.replies = [unknown, recorded("bitstamp")]
    isk, usd = ask("bitstamp", http_stub, "BTC", "ISK", "USD")
    assert str(isk) == "bitstamp: there is no price for BTC in ISK"
    assert isinstance(isk, UnknownCoin)
    assert isinstance(usd, Price)


def test_an_empty_order_book_has_neither_bid_nor_ask(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(body=b'{"last": "5", "bid": "0.00", "ask": null}')]
    (price,) = prices("bitstamp", http_stub, "BTC", "USD")
    assert (price.bid, price.ask, price.exchange_time) == (None, None, None)


def test_coingecko_returns_every_digit_and_the_time(http_stub: HttpStub) -> None:
    http_stub.replies = [recorded("coingecko")]
    usd, gbp, eur = ask("coingecko", http_stub, "BTC", "USD", "GBP", "EUR")
    assert isinstance(usd, Price)
    assert (str(usd.amount), usd.exchange_time) == ("65118.3358936566", MADE)
    assert isinstance(eur, Price)
    assert str(gbp) == "coingecko: there is no price for BTC in GBP"
    assert parse_qs(urlsplit(http_stub.hits[0].path).query) == {
        "ids": ["bitcoin"],
        "vs_currencies": ["usd,gbp,eur"],
        "include_last_updated_at": ["true"],
        "precision": ["full"],
    }


def test_coingecko_is_not_asked_for_coins_with_unknown_ids(http_stub: HttpStub) -> None:
    with pytest.raises(UnknownCoin, match="coingecko: the id of NOPE is unknown"):
        ask("coingecko", http_stub, "NOPE", "USD")
    assert http_stub.hits == []
    http_stub.replies = [Reply(body=b"{}")]
    assert [type(outcome) for outcome in ask("coingecko", http_stub, "BTC", "USD")] == [UnknownCoin]


def test_errors_of_coingecko_have_its_message(http_stub: HttpStub) -> None:
    http_stub.replies = [recorded("coingecko_limited", 401)]
    with pytest.raises(PriceUnavailable, match="status 401: This request is limited to subscribers"):
        ask("coingecko", http_stub, "BTC", "USD")


def wrong_bodies() -> list[bytes]:
    amounts: list[object] = [None, True, [], {}, "NaN", "Infinity", "-1", "0", "1_000", " 1", "1e999", "1e-999"]
    rest = {"bid": "1", "ask": "1", "a": ["1"], "b": ["1"]}
    documents: list[object] = [[], None, 5, "x", {}, {"data": []}, {"result": 1}, {"result": {"A": {}}}, {"bitcoin": 7}]
    documents += [
        {
            "data": {"rates": {"USD": amount}},
            "result": {"XXBTZUSD": {**rest, "c": [amount]}},
            "bitcoin": {"usd": amount},
            "last": amount,
            **rest,
        }
        for amount in amounts
    ]
    return [json.dumps(document).encode() for document in documents]


@pytest.mark.parametrize("body", [b"", b"<html>down for maintenance</html>", b'{"last": NaN}', *wrong_bodies()])
def test_malformed_responses_are_never_prices(http_stub: HttpStub, source: Source, body: bytes) -> None:
    http_stub.replies = [Reply(body=body)]
    try:
        (outcome,) = source.ask("BTC", ["USD"])
    except PriceUnavailable as error:
        outcome = error
    assert isinstance(outcome, BadResponse | UnknownCoin)
    assert outcome.source == source.name


@pytest.mark.parametrize(
    "ticker",
    [
        {"last": "5", "bid": "x"},
        {"last": "5", "ask": "-1"},
        {"last": "5", "timestamp": "soon"},
        {"last": "5", "timestamp": "9" * 30},
        {"status": "error", "reason": "Maintenance"},
    ],
)
def test_a_ticker_with_another_malformed_field_is_refused(http_stub: HttpStub, ticker: dict[str, str]) -> None:
    http_stub.replies = [Reply(body=json.dumps(ticker).encode())]
    with pytest.raises(PriceUnavailable):
        raise next(
            iter(outcome for outcome in ask("bitstamp", http_stub, "BTC", "USD") if not isinstance(outcome, Price))
        )


@pytest.mark.parametrize("status", [403, 500, 503])
def test_an_error_status_is_an_error(http_stub: HttpStub, source: Source, status: int) -> None:
    http_stub.replies = [Reply(status, b"{}")]
    with pytest.raises(PriceUnavailable, match=f"{source.name}: it responded with status {status}") as caught:
        list(source.ask("BTC", ["USD", "EUR"]))
    assert type(caught.value) is PriceUnavailable


def test_rate_limited_has_the_seconds_of_retry_after(http_stub: HttpStub, source: Source) -> None:
    http_stub.replies = [Reply(429, headers={"Retry-After": "60"})]
    with pytest.raises(RateLimited) as caught:
        list(source.ask("BTC", ["USD", "EUR"]))
    assert caught.value.retry_after == 60
    assert len(http_stub.hits) == 1


def test_each_source_has_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_PRICE_URL_KRAKEN", "http://127.0.0.1:1/")
    assert open_source("Kraken").base_url == "http://127.0.0.1:1"
    assert open_source("coinbase").base_url == "https://api.coinbase.com"


def test_the_one_address_is_for_the_configured_source_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_PRICE_URL", "http://127.0.0.1:1")
    assert open_source("coinbase").base_url == "http://127.0.0.1:1"
    assert open_source("kraken").base_url == "https://api.kraken.com"
    monkeypatch.setenv("COINREQUEST_PRICE_SOURCE", "kraken")
    assert open_source("kraken").base_url == "http://127.0.0.1:1"
    monkeypatch.setenv("COINREQUEST_PRICE_URL_KRAKEN", "http://127.0.0.1:2")
    assert open_source("kraken").base_url == "http://127.0.0.1:2"


def test_one_address_for_several_sources_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_PRICE_SOURCE", "kraken, coinbase")
    monkeypatch.setenv("COINREQUEST_PRICE_URL", "http://127.0.0.1:1")
    with pytest.raises(SettingInvalid, match="set COINREQUEST_PRICE_URL_KRAKEN and the like"):
        open_source("kraken")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("krakn", "did you mean 'kraken'"),
        ("zzz", "choose from bitstamp, coinbase, coingecko, kraken and ccxt:EXCHANGE"),
    ],
)
def test_an_unknown_source_gets_the_nearest_name(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_source(name)
