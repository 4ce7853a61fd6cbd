"""`coin.prices` and `coin.report` as an agent calls them: plain JSON in, plain JSON out."""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from support.http_stub import Hit, HttpStub, Reply

from coinrequest.actions.base import ActionFailed
from coinrequest.actions.catalogue import find_action
from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.errors import DefinitionInvalid

RATES = json.dumps({"data": {"rates": {"USD": "43211.0150", "EUR": "0.00000001"}}}).encode()
KRAKEN = {"a": ["43212.5", "1"], "b": ["43212.1", "1"], "c": ["43212.2", "1"]}


def run(name: str, inputs: dict[str, Any]) -> Any:
    """Run an action as an agent does, and prove that its result can be stored and passed on."""
    action = find_action(name)
    result = action().run(action.Inputs.model_validate(inputs)).model_dump(mode="json")
    stored = json.loads(json.dumps(result, allow_nan=False))
    assert action.Result.model_validate(stored).model_dump(mode="json") == stored
    return stored


@pytest.fixture
def exchange(http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> HttpStub:
    monkeypatch.setenv("COINREQUEST_PRICE_URL", http_stub.url)
    http_stub.replies = [Reply(body=RATES)]
    return http_stub


@pytest.fixture
def three_exchanges(http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> HttpStub:
    """Kraken has a price in USD alone, and Bitstamp is wrong by far."""

    def answer(hit: Hit) -> Reply:
        if hit.path.startswith("/0/"):
            known = {"error": [], "result": {"XXBTZUSD": KRAKEN}}
            return Reply(body=json.dumps(known).encode())
        return Reply(body=b'{"last": "1.5"}' if hit.path.startswith("/api/v2") else RATES)

    for name in ("KRAKEN", "COINBASE", "BITSTAMP"):
        monkeypatch.setenv(f"COINREQUEST_PRICE_URL_{name}", http_stub.url)
    http_stub.answer = answer
    return http_stub


def test_prices_are_a_list_that_a_reference_can_reach_into(exchange: HttpStub) -> None:
    prices = run("coin.prices", {"coin": "btc", "currencies": ["USD", "eur"]})
    assert [price["rate"] for price in prices] == ["43211.0150", "0.00000001"]
    assert [price["currency"] for price in prices] == ["USD", "EUR"]
    assert prices[0]["price_date"].endswith("Z")
    del prices[0]["price_date"]
    assert prices[0] == {
        "currency": "USD",
        "rate": "43211.0150",
        "source": "coinbase",
        "bid": None,
        "ask": None,
        "exchange_time": None,
        "sources": ["coinbase"],
        "failed": {},
        "dropped": [],
    }


def test_one_source_gives_bid_ask_and_its_own_time(three_exchanges: HttpStub) -> None:
    (price,) = run("coin.prices", {"currencies": ["USD"], "source": "Kraken"})
    assert (price["rate"], price["bid"], price["ask"]) == ("43212.2", "43212.1", "43212.5")
    three_exchanges.answer = lambda _hit: Reply(body=b'{"last": "5", "timestamp": "1767225600"}')
    (price,) = run("coin.prices", {"currencies": ["USD"], "sources": ["bitstamp"]})
    assert price["exchange_time"] == "2026-01-01T00:00:00Z"


def test_several_sources_report_successes_failures_and_dropped_quotes(three_exchanges: HttpStub) -> None:
    usd, eur = run(
        "coin.prices",
        {"currencies": ["USD", "EUR"], "sources": ["kraken", "coinbase", "bitstamp"], "aggregate": "mean"},
    )
    assert (usd["rate"], usd["source"]) == ("43211.6075", "mean of kraken, coinbase")
    assert usd["sources"] == ["kraken", "coinbase", "bitstamp"]
    assert usd["dropped"] == [{"source": "bitstamp", "rate": "1.5"}]
    assert usd["failed"] == {}
    assert eur["sources"] == ["coinbase", "bitstamp"]
    assert eur["failed"] == {"kraken": "the response has no price for BTC in EUR"}


def test_a_failed_source_fails_the_action_with_its_message(exchange: HttpStub) -> None:
    exchange.replies = [Reply(503)]
    with pytest.raises(ActionFailed, match="coinbase: it responded with status 503"):
        run("coin.prices", {"currencies": ["USD"]})


def test_a_wrong_environment_fails_the_action_with_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_PRICE_SOURCE", "mtgox")
    with pytest.raises(ActionFailed, match="COINREQUEST_PRICE_SOURCE"):
        run("coin.prices", {"currencies": ["USD"]})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"currencies": []}, "at least 1 item"),
        ({"currencies": ["USD"] * 21}, "at most 20 items"),
        ({"currencies": "USD"}, "valid tuple"),
        ({"currencies": [1]}, "valid string"),
        ({"currencies": ["U$D"]}, "is not the code"),
        ({"currencies": ["EURO"]}, "did you mean 'EUR'"),
        ({"currencies": ["XXX"]}, "is not a currency"),
        ({"currencies": ["USD"], "source": "mtgox"}, "there is no price source 'mtgox'"),
        ({"currencies": ["USD"], "sources": ["krakn"]}, "did you mean 'kraken'"),
        ({"currencies": ["USD"], "sources": []}, "at least 1 item"),
        ({"currencies": ["USD"], "sources": ["kraken"], "source": "kraken"}, "not both"),
        ({"currencies": ["USD"], "aggregate": "mode"}, "'median', 'mean' or 'first'"),
        ({"currencies": ["USD"], "coins": 1}, "Extra inputs"),
    ],
)
def test_invalid_coins_and_currencies_are_refused(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        find_action("coin.prices").Inputs.model_validate(inputs)
    assert message in str(caught.value)


def test_a_definition_with_an_unknown_currency_is_refused_with_the_field_and_the_nearest_code() -> None:
    task = {"id": "prices", "action": "coin.prices", "inputs": {"currencies": ["USD", "GPB"]}}
    with pytest.raises(DefinitionInvalid) as caught:
        parse_definition({"name": "prices", "tasks": [task]})
    (error,) = caught.value.errors
    assert error.field == "tasks[0].inputs.currencies"
    assert "did you mean 'GBP'" in error.message


def test_prices_go_into_a_report_and_from_there_into_a_mail(exchange: HttpStub) -> None:
    report = run("coin.report", {"prices": run("coin.prices", {"currencies": ["USD", "EUR"]}), "title": "BTC"})
    assert report["subject"] == "BTC: USD 43,211.0150"
    rows = [line.split()[:2] for line in report["body"].splitlines()[2:]]
    assert rows == [["Currency", "Rate"], ["USD", "43,211.0150"], ["EUR", "0.00000001"]]
    assert "43,211.0150</td>" in report["html"]
    assert run("email.send", {**report, "skip_without_server": True})["delivered"] is False


def test_a_report_lists_missing_sources_and_escapes_them(three_exchanges: HttpStub) -> None:
    inputs = {"currencies": ["USD", "EUR"], "sources": ["kraken", "coinbase", "bitstamp"]}
    prices = run("coin.prices", inputs)
    prices[1]["failed"]["<script>"] = "a & b"
    report = run("coin.report", {"prices": prices})
    assert "USD: dropped bitstamp; its 1.5 is too far from the others\n" in report["body"]
    assert "EUR: kraken gave no price: the response has no price for BTC in EUR\n" in report["body"]
    assert "EUR: &lt;script&gt; gave no price: a &amp; b</p>" in report["html"]
    assert "<script>" not in report["html"]


def test_a_report_needs_of_a_price_only_currency_rate_and_date() -> None:
    price = {"currency": "USD", "rate": "1234.50", "price_date": "2026-01-01T00:00:00Z"}
    assert run("coin.report", {"prices": [price]})["subject"] == "Coin prices: USD 1,234.50"
    assert run("coin.report", {"prices": []})["subject"] == "Coin prices: no prices"
