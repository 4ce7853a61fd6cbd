"""One odd source, or one odd price, costs no other its result."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NoReturn

import pytest
from support.http_stub import Hit, HttpStub, Reply
from support.recorded_prices import every_source, rates, tickers

from coinrequest.cli import main
from coinrequest.prices import BadResponse, Price, PriceUnavailable, UnknownCoin, get_prices
from coinrequest.prices.sources import SOURCES, open_source
from coinrequest.prices.sources.base import Source
from coinrequest.text import is_storable

ODD = [
    Reply(403, b"<!doctype html><title>Forbidden</title>"),
    Reply(200, b"<!doctype html><title>Are you human?</title>"),
    Reply(451, b"\x00\xff\xfe"),
    Reply(500, b"{"),
    Reply(403, b"[1]"),
    Reply(403, b'"no"'),
    Reply(418, b"{}"),
    Reply(200, b"null"),
    Reply(200, b"[" * 100_000),
    Reply(200, b'{"error": ["\\ud83d\\u0000"], "errors": "\\ud83d"}'),
    Reply(200, b"\xff\xfe{"),
    Reply(200, b"x", headers={"Content-Encoding": "gzip"}),
    Reply(302, b"", headers={"Location": "http://[::1"}),
    tickers(XXBTZUSD="-1"),
    tickers(XXBTZUSD="NaN"),
    tickers(XXBTZUSD="\u0000"),
    Reply(200, b'{"error": [], "result": {"XXBTZUSD": {"c": [{}], "a": [null], "b": [[]]}}}'),
    Reply(200, b'{"error": [], "result": {"XXBTZUSD": {"c": ["1"], "a": ["-1"], "b": ["x"]}}}'),
]


@pytest.fixture
def exchanges(http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> HttpStub:
    for name in SOURCES:
        monkeypatch.setenv(f"COINREQUEST_PRICE_URL_{name.upper()}", http_stub.url)
    http_stub.answer = every_source
    return http_stub


@pytest.mark.parametrize("reply", ODD, ids=range(len(ODD)))
def test_one_odd_source_costs_no_other_its_price(exchanges: HttpStub, reply: Reply) -> None:
    def answer(hit: Hit) -> Reply:
        return reply if hit.path.startswith("/0/") else every_source(hit)

    exchanges.answer = answer
    found = get_prices("BTC", ["USD"], ["kraken", "coinbase", "bitstamp"], timeout=2)
    assert found.answered == ("coinbase", "bitstamp")
    (failure,) = found.failures
    assert failure.source == "kraken"
    assert is_storable(str(failure))
    if reply.status >= 400:
        assert str(reply.status) in str(failure)


def break_anything(*_: object) -> NoReturn:
    raise RuntimeError("boom")


class Odd(Source):
    """Raises what no source should raise, after its first price."""

    name = "odd"
    public_url = "https://example.test"

    def ask(self, coin: str, currencies: Sequence[str]) -> Iterator[Price | PriceUnavailable]:
        def read(currency: str) -> Price:
            raise {"USD": TypeError, "EUR": KeyError, "GBP": ZeroDivisionError}[currency]("boom")

        return self._each(currencies, read)


def test_an_odd_price_costs_no_other_currency_of_the_source() -> None:
    outcomes = list(Odd().ask("BTC", ["USD", "EUR", "GBP"]))
    assert [type(outcome) for outcome in outcomes] == [BadResponse] * 3
    assert "odd: the response has an odd price in USD: TypeError('boom')" in str(outcomes[0])


def test_a_source_that_cannot_be_opened_costs_no_other_its_price(
    exchanges: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sometimes(name: str, timeout: float) -> Source:
        return break_anything() if name == "kraken" else open_source(name, timeout)

    monkeypatch.setattr("coinrequest.prices.lookup.open_source", sometimes)
    found = get_prices("BTC", ["USD"], ["kraken", "coinbase"])
    assert found.answered == ("coinbase",)
    assert [str(failure) for failure in found.failures] == ["kraken: it cannot be opened: RuntimeError('boom')"]


AMOUNTS = ["1E-25", "0.00000000000000000000000012345", "5e-324", "1e22", "1.7976931348623157e308", "9" * 60]


@pytest.mark.parametrize("as_number", [False, True])
@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("name", SOURCES)
def test_small_and_large_prices_are_taken_exactly(
    http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, name: str, amount: str, as_number: bool
) -> None:
    value = amount if as_number else json.dumps(amount)
    document = (
        '{"data": {"rates": {"USD": V}}, "error": [], "result": {"XXBTZUSD": {"c": [V], "a": [V], "b": [V]}}, '
        '"bitcoin": {"usd": V}, "last": V, "bid": V, "ask": V}'
    )
    http_stub.replies = [Reply(body=document.replace("V", value).encode())]
    (price,) = SOURCES[name](http_stub.url, timeout=5).ask("BTC", ["USD"])
    assert isinstance(price, Price)
    assert price.amount == Decimal(amount)


@pytest.mark.parametrize("nothing", ['"0"', '"0.000"', '"0e-10"', "0E+3", '""', "null", "0"])
def test_an_empty_order_book_costs_no_price(http_stub: HttpStub, nothing: str) -> None:
    http_stub.replies = [Reply(body=f'{{"last": "1", "bid": {nothing}, "ask": {nothing}}}'.encode())]
    (price,) = SOURCES["bitstamp"](http_stub.url, timeout=5).ask("BTC", ["USD"])
    assert isinstance(price, Price)
    assert (price.bid, price.ask) == (None, None)


@pytest.mark.parametrize("last", ['""', "null"])
@pytest.mark.parametrize("name", SOURCES)
def test_a_price_that_is_missing_is_said_in_words(http_stub: HttpStub, name: str, last: str) -> None:
    document = (
        '{"data": {"rates": {"USD": V}}, "error": [], "result": {"XXBTZUSD": {"c": [V], "a": null, "b": []}}, '
        '"bitcoin": {"usd": V}, "last": V, "bid": V, "ask": V}'
    )
    http_stub.replies = [Reply(body=document.replace("V", last).encode())]
    (outcome,) = SOURCES[name](http_stub.url, timeout=5).ask("BTC", ["USD"])
    assert str(outcome) in {
        f"{name}: the response has no price: it is null or empty",
        f"{name}: there is no price for BTC in USD",
    }


def test_an_empty_order_book_of_kraken_costs_no_price(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(body=b'{"error": [], "result": {"XXBTZUSD": {"c": ["1"], "a": null, "b": []}}}')]
    (price,) = SOURCES["kraken"](http_stub.url, timeout=5).ask("BTC", ["USD"])
    assert isinstance(price, Price)
    assert (price.bid, price.ask) == (None, None)


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("name", SOURCES)
def test_a_product_that_is_no_longer_traded_is_named_with_the_status(
    exchanges: HttpStub, name: str, status: int
) -> None:
    exchanges.answer = lambda hit: Reply(status, b"{}")
    with pytest.raises(UnknownCoin) as caught:
        get_prices("BTC", ["USD"], [name])
    # A 404 is how Bitstamp says that it does not trade a pair.
    reason = "" if (name, status) == ("bitstamp", 404) else f": it responded with status {status}"
    assert str(caught.value) == f"{name}: there is no price for BTC in USD{reason}"


def test_the_action_and_the_command_show_small_prices_without_an_exponent(
    http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from support.actions import run

    monkeypatch.setenv("COINREQUEST_PRICE_URL", http_stub.url)
    http_stub.replies = [rates(USD="1E-25", EUR="1E+25")]
    small = "0.0000000000000000000000001"
    answer: Any = run("coin.prices", {"currencies": ["USD", "EUR"]})
    assert [price["rate"] for price in answer] == [small, "1" + "0" * 25]
    report = run("coin.report", {"prices": answer})
    assert small in report["body"]
    assert main(["prices", "BTC", "USD", "EUR"]) == 0
    assert small in capsys.readouterr().out


def test_no_source_can_control_the_terminal(exchanges: HttpStub, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(hit: Hit) -> Reply:
        bad = Reply(body=json.dumps({"error": ["E\x1b[2J\ud83d"]}).encode())
        return bad if hit.path.startswith("/0/") else every_source(hit)

    exchanges.answer = answer
    assert main(["prices", "BTC", "USD", "--source", "kraken", "--source", "coinbase"]) == 0
    shown = capsys.readouterr().out
    assert "failed: kraken: E\\x1b[2J" in shown
    assert "\x1b" not in shown
    assert main(["prices", "BTC", "USD", "--source", "kraken"]) == 1
    assert "\x1b" not in capsys.readouterr().err
