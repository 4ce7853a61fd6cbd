"""`coinrequest prices`."""

import json
import re

import pytest
from support.http_stub import HttpStub, Reply
from support.recorded_prices import every_source, rates, tickers

from coinrequest.cli import main


@pytest.fixture
def exchanges(http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> HttpStub:
    for name in ("BITSTAMP", "COINBASE", "KRAKEN"):
        monkeypatch.setenv(f"COINREQUEST_PRICE_URL_{name}", http_stub.url)
    http_stub.answer = every_source
    return http_stub


def test_prices_are_a_table(exchanges: HttpStub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "btc", "USD", "EUR"]) == 0
    shown = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "NOW", capsys.readouterr().out)
    assert [line.split() for line in shown.splitlines()] == [
        ["Currency", "Rate", "Date", "Source"],
        ["USD", "65,123.4567", "NOW", "coinbase"],
        ["EUR", "60,001.25", "NOW", "coinbase"],
        [],
        ["answered:", "coinbase"],
    ]


def test_the_table_shows_failed_sources_and_dropped_quotes(
    exchanges: HttpStub, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(hit: object) -> Reply:
        path = getattr(hit, "path", "")
        return tickers(XXBTZUSD="1.5") if path.startswith("/0/") else every_source(hit)  # type: ignore[arg-type]

    exchanges.answer = answer
    words = ["prices", "BTC", "USD", "GBP", "--source", "kraken", "--source", "coinbase", "--source", "bitstamp"]
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[4:] == [
        "answered: kraken, coinbase, bitstamp",
        "dropped: kraken with 1.5 USD, too far from the others",
        "failed: kraken: the response has no price for BTC in GBP",
        "failed: bitstamp: there is no price for BTC in GBP",
    ]


def test_prices_are_json_with_exact_texts(exchanges: HttpStub, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["prices", "BTC", "USD", "--source", "kraken", "--source", "coinbase", "--aggregate", "mean", "--json"])
        == 0
    )
    document = json.loads(capsys.readouterr().out)
    (price,) = document["prices"]
    assert (price["coin"], price["currency"], price["rate"]) == ("BTC", "USD", "65121.77835")
    assert [(quote["source"], quote["bid"]) for quote in document["quotes"]] == [
        ("kraken", "65120.00000"),
        ("coinbase", None),
    ]
    assert (document["answered"], document["dropped"], document["failures"]) == (["kraken", "coinbase"], [], [])


def test_a_failure_in_the_json_has_its_kind(exchanges: HttpStub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "BTC", "GBP", "--source", "bitstamp", "--source", "coinbase", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["failures"] == [
        {"source": "bitstamp", "kind": "UnknownCoin", "message": "there is no price for BTC in GBP"}
    ]


def test_no_price_is_an_error_with_its_text(exchanges: HttpStub, capsys: pytest.CaptureFixture[str]) -> None:
    exchanges.answer = lambda _hit: rates(USD="1")
    assert main(["prices", "BTC", "ISK"]) == 1
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "coinrequest prices: coinbase: there is no price for BTC in ISK\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["BTC", "EURO"], "did you mean 'EUR'"),
        (["BTC", "USD", "--source", "krakn"], "did you mean 'kraken'"),
    ],
)
def test_invalid_codes_are_usage_errors(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [[], ["BTC"], ["BTC", "USD", "--aggregate", "mode"], ["BTC", "USD", "--timeout", "nan"]]
)
def test_invalid_options_are_usage_errors(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["prices", *words])
    assert caught.value.code == 2
    assert "usage: coinrequest prices" in capsys.readouterr().err


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["prices", "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "coinrequest prices BTC USDT --source ccxt:binance --json" in shown
    assert "exit codes: 0 success" in shown
