"""Exchanges that ccxt knows, as sources. Loading ccxt takes seconds: one exchange serves all tests of this file."""

import json
from datetime import UTC, datetime
from importlib.util import find_spec

import pytest
from support.http_stub import Hit, HttpStub, Reply
from support.recorded_prices import recorded

from coinrequest.actions.catalogue import find_action
from coinrequest.prices import BadResponse, PriceAnswer, PriceUnavailable, RateLimited, UnknownCoin, get_prices
from coinrequest.prices.sources import ccxt_exchange, check_source

MARKET = {
    "name": "BTC/USD",
    "market_symbol": "btcusd",
    "base_currency": "BTC",
    "base_decimals": 8,
    "counter_currency": "USD",
    "counter_decimals": 0,
    "minimum_order_value": "10",
    "trading": "Enabled",
    "instant_order_counter_decimals": 2,
    "instant_and_market_orders": "Enabled",
    "description": "Bitcoin / U.S. dollar",
    "market_type": "SPOT",
}
needs_ccxt = pytest.mark.skipif(find_spec("ccxt") is None, reason="the extra ccxt is not installed")


@pytest.fixture
def exchange(http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> HttpStub:
    """Bitstamp, as ccxt asks it, at an address below a path."""
    monkeypatch.setenv("COINREQUEST_PRICE_URL_CCXT_BITSTAMP", f"{http_stub.url}/mirror/")
    serve(http_stub, recorded("bitstamp"))
    return http_stub


def serve(stub: HttpStub, ticker: Reply) -> None:
    def answer(hit: Hit) -> Reply:
        return Reply(body=json.dumps([MARKET]).encode()) if hit.path.endswith("/markets/") else ticker

    stub.answer = answer


def ask(*currencies: str) -> PriceAnswer:
    return get_prices("BTC", currencies, ["ccxt:bitstamp"], timeout=5)


@needs_ccxt
def test_prices_are_exact_and_fetched_from_the_configured_address(exchange: HttpStub) -> None:
    (price,) = ask("USD").prices
    assert (str(price.amount), str(price.bid), str(price.ask)) == ("65110.55", "65110.54", "65110.56")
    assert (price.source, price.exchange_time) == ("ccxt:bitstamp", datetime(2026, 1, 1, tzinfo=UTC))
    assert exchange.hits[-1].path == "/mirror/api/v2/ticker/btcusd/"
    assert exchange.hits[-1].headers["user-agent"].startswith("coinrequest/")


@needs_ccxt
def test_json_numbers_keep_every_digit(exchange: HttpStub) -> None:
    serve(exchange, Reply(body=b'{"last": 65110.1000000000000000001, "bid": 1e-7}'))
    (price,) = ask("USD").prices
    assert (str(price.amount), str(price.bid)) == ("65110.1000000000000000001", "1E-7")


@needs_ccxt
def test_a_page_instead_of_json_is_said(exchange: HttpStub) -> None:
    ask("USD")
    serve(exchange, Reply(body=b"<!doctype html><title>Just a moment</title>"))
    with pytest.raises(BadResponse, match="the response is not JSON; it starts with '<!doctype html><title>Just"):
        ask("USD")


@needs_ccxt
@pytest.mark.parametrize("nothing", [b"null", b'""', b'"0"'])
def test_an_empty_order_book_costs_no_price(exchange: HttpStub, nothing: bytes) -> None:
    serve(exchange, Reply(body=b'{"last": "5", "bid": %s, "ask": %s}' % (nothing, nothing)))
    (price,) = ask("USD").prices
    assert (str(price.amount), price.bid, price.ask) == ("5", None, None)


@needs_ccxt
def test_an_unknown_pair_is_an_unknown_coin(exchange: HttpStub) -> None:
    with pytest.raises(UnknownCoin, match="ccxt:bitstamp: there is no price for BTC in ISK"):
        ask("USD", "ISK")


@needs_ccxt
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(429, headers={"Retry-After": "7"}), RateLimited),
        (Reply(429, headers={"Retry-After": "soon"}), RateLimited),
        (Reply(503), PriceUnavailable),
        (Reply(302, headers={"Location": "/login"}), BadResponse),
        (Reply(body=b"<html>"), BadResponse),
        (Reply(body=b'{"last": NaN}'), BadResponse),
        (Reply(body=b"[]"), BadResponse),
        (Reply(body=b'{"last": null, "bid": "1", "ask": "1"}'), BadResponse),
        (Reply(body=b'{"last": "", "bid": "", "ask": ""}'), BadResponse),
        (Reply(body=b"{}"), BadResponse),
        (Reply(body=b'{"last": "-1"}'), BadResponse),
        (Reply(body=b'{"last": "' + b"9" * 401 + b'"}'), BadResponse),
        (Reply(404, b'{"status": "error", "reason": "x"}'), BadResponse),
    ],
)
def test_failures_become_typed_errors(exchange: HttpStub, reply: Reply, kind: type[PriceUnavailable]) -> None:
    ask("USD")
    serve(exchange, reply)
    asked = len(exchange.hits)
    with pytest.raises(PriceUnavailable) as caught:
        ask("USD")
    assert type(caught.value) is kind
    assert caught.value.source == "ccxt:bitstamp"
    assert len(exchange.hits) == asked + 1
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == (7 if reply.headers["Retry-After"] == "7" else None)


@needs_ccxt
def test_nobody_listens(exchange: HttpStub) -> None:
    exchange.server.server_close()
    with pytest.raises(PriceUnavailable, match="ccxt:bitstamp: the request failed") as caught:
        ask("USD")
    assert type(caught.value) is PriceUnavailable


@needs_ccxt
@pytest.mark.parametrize("name", ["ccxt:nope", "ccxt:__init__", "ccxt:../kraken", "ccxt:", "ccxt:base.errors"])
def test_an_exchange_that_ccxt_does_not_support_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="ccxt"):
        check_source(name)


def test_without_the_extra_the_error_has_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ccxt_exchange, "find_spec", lambda _name: None)
    remedy = r"ccxt:binance needs ccxt, which is not installed: pip install 'coinrequest\[ccxt\]'"
    with pytest.raises(ValueError, match=remedy):
        get_prices("BTC", ["USDT"], ["ccxt:binance"])
    with pytest.raises(ValueError, match=remedy):
        find_action("coin.prices").Inputs.model_validate({"currencies": ["USDT"], "source": "ccxt:binance"})
