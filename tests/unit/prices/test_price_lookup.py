"""Several sources at once."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest
from support.http_stub import Hit, HttpStub, Reply, http_server
from support.recorded_prices import every_source, kraken_that_knows, rates, recorded, tickers

from coinrequest.prices import (
    BadResponse,
    Price,
    PriceUnavailable,
    RateLimited,
    UnknownCoin,
    get_prices,
)
from coinrequest.prices.sources import SOURCES
from coinrequest.prices.sources.base import Source
from coinrequest.settings import SettingInvalid

ALL = ("bitstamp", "coinbase", "coingecko", "kraken")


@pytest.fixture
def exchanges(http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> HttpStub:
    """All sources at one address."""
    for name in ALL:
        monkeypatch.setenv(f"COINREQUEST_PRICE_URL_{name.upper()}", http_stub.url)
    http_stub.answer = every_source
    return http_stub


def is_kraken(hit: Hit) -> bool:
    return hit.path.startswith("/0/")


def test_the_configured_source_is_asked(exchanges: HttpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_PRICE_SOURCE", "Kraken")
    exchanges.answer = lambda hit: tickers(XXBTZUSD="5")
    answer = get_prices("xbt", [" usd", "USD"])
    (price,) = answer.prices
    assert (price.base, price.quote, price.source, price.amount) == ("BTC", "USD", "kraken", Decimal(5))
    assert answer.quotes == answer.prices
    assert (answer.answered, answer.dropped, answer.failures) == (("kraken",), (), ())
    assert len(exchanges.hits) == 1


def test_several_may_be_configured(exchanges: HttpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_PRICE_SOURCE", "kraken, coinbase,,kraken")
    assert get_prices("BTC", ["USD"]).answered == ("kraken", "coinbase")


def test_all_sources_make_one_price(exchanges: HttpStub) -> None:
    answer = get_prices("BTC", ["USD"], ALL)
    assert [str(quote.amount) for quote in answer.quotes] == [
        "65110.55",
        "65123.4567",
        "65118.3358936566",
        "65120.10000",
    ]
    (price,) = answer.prices
    assert str(price.amount) == "65119.2179468283"
    assert price.source == "median of bitstamp, coinbase, coingecko, kraken"
    assert get_prices("BTC", ["USD"], ALL, "mean").prices[0].amount == Decimal("65118.11064841415")
    assert get_prices("BTC", ["USD"], ["kraken", *ALL], "first").prices[0].source == "kraken"


def test_sources_are_asked_at_the_same_time(exchanges: HttpStub) -> None:
    together = threading.Barrier(len(ALL), timeout=5)

    def answer(hit: Hit) -> Reply:
        together.wait()
        return every_source(hit)

    exchanges.answer = answer
    assert get_prices("BTC", ["USD"], ALL).answered == ALL


def test_a_failed_source_does_not_fail_the_call(exchanges: HttpStub) -> None:
    exchanges.answer = lambda hit: Reply(503) if is_kraken(hit) else every_source(hit)
    answer = get_prices("BTC", ["USD", "EUR"], ["kraken", "coinbase"])
    assert [price.source for price in answer.prices] == ["coinbase", "coinbase"]
    (failure,) = answer.failures
    assert failure.source == "kraken"
    assert "status 503" in str(failure)
    assert answer.answered == ("coinbase",)


def test_late_sources_are_not_waited_for(exchanges: HttpStub) -> None:
    release = threading.Event()
    exchanges.answer = lambda hit: Reply(wait=release) if is_kraken(hit) else every_source(hit)
    started = time.monotonic()
    answer = get_prices("BTC", ["USD"], ["kraken", "coinbase"], timeout=0.3)
    assert time.monotonic() - started < 5
    release.set()
    assert [failure.source for failure in answer.failures] == ["kraken"]
    assert "0.3 seconds" in str(answer.failures[0])


class Sleeper(Source):
    """Does not keep its time-out, and has a price in the first currency only."""

    name = "sleeper"
    public_url = "http://sleeper.test"
    release = threading.Event()
    asked: list[str]

    def ask(self, coin: str, currencies: Sequence[str]) -> Iterator[Price | PriceUnavailable]:
        for currency in currencies:
            type(self).asked.append(currency)
            yield UnknownCoin(self.name, "first") if currency == "USD" else self.wait()

    def wait(self) -> PriceUnavailable:
        self.release.wait(30)
        return UnknownCoin(self.name, "too late")


def test_a_source_that_ignores_its_timeout_is_abandoned(exchanges: HttpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sleeper, "asked", [], raising=False)
    monkeypatch.setitem(SOURCES, "sleeper", Sleeper)
    answer = get_prices("BTC", ["USD", "EUR", "GBP"], ["sleeper", "coinbase"], timeout=0.1)
    assert [str(failure) for failure in answer.failures] == [
        "sleeper: first",
        "sleeper: no response within 0.1 seconds",
    ]
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "prices-sleeper")
    assert thread.daemon
    Sleeper.release.set()
    thread.join(5)
    assert Sleeper.asked == ["USD", "EUR"]  # nobody wants the rest any more


class Defective(Source):
    name = "defective"
    public_url = "http://defective.test"

    def ask(self, coin: str, currencies: Sequence[str]) -> Iterator[Price | PriceUnavailable]:
        raise KeyError("oops")


def test_a_bug_in_one_source_does_not_affect_the_others(exchanges: HttpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "defective", Defective)
    answer = get_prices("BTC", ["USD"], ["defective", "coinbase"])
    assert str(answer.failures[0]) == "defective: it failed: KeyError('oops')"
    assert isinstance(answer.failures[0].__cause__, KeyError)
    with pytest.raises(PriceUnavailable, match="it failed"):
        get_prices("BTC", ["USD"], ["defective"])


def test_a_source_contributes_the_currencies_that_it_has(exchanges: HttpStub) -> None:
    answer = get_prices("BTC", ["GBP", "USD"], ["bitstamp", "kraken", "coinbase"])
    gbp, usd = answer.prices
    assert gbp.source == "coinbase"
    assert usd.source == "median of bitstamp, kraken, coinbase"
    assert [str(failure) for failure in answer.failures] == [
        "bitstamp: there is no price for BTC in GBP",
        "kraken: the response has no price for BTC in GBP",
    ]
    assert answer.answered == ("coinbase", "bitstamp", "kraken")


def test_a_quote_far_from_the_others_is_dropped_and_shown(exchanges: HttpStub) -> None:
    exchanges.answer = lambda hit: tickers(XXBTZUSD="6.5") if is_kraken(hit) else every_source(hit)
    answer = get_prices("BTC", ["USD"], ["kraken", "coinbase", "bitstamp"])
    assert [(quote.source, str(quote.amount)) for quote in answer.dropped] == [("kraken", "6.5")]
    assert answer.prices[0].source == "median of coinbase, bitstamp"
    assert answer.answered == ("kraken", "coinbase", "bitstamp")


def test_first_takes_the_first_source_without_waiting_for_others(exchanges: HttpStub) -> None:
    release = threading.Event()
    exchanges.answer = lambda hit: Reply(wait=release) if is_kraken(hit) else every_source(hit)
    started = time.monotonic()
    answer = get_prices("BTC", ["USD"], ["coinbase", "kraken"], "first", timeout=20)
    assert time.monotonic() - started < 10
    release.set()
    assert (answer.prices[0].source, answer.failures) == ("coinbase", ())


def test_first_skips_sources_that_fail(exchanges: HttpStub) -> None:
    exchanges.answer = lambda hit: Reply(503) if is_kraken(hit) else every_source(hit)
    answer = get_prices("BTC", ["USD"], ["kraken", "coinbase", "coingecko"], "first")
    assert answer.prices[0].source == "coinbase"
    assert [failure.source for failure in answer.failures] == ["kraken"]


def test_a_single_reason_is_raised_as_it_is(exchanges: HttpStub) -> None:
    exchanges.answer = lambda hit: rates(USD="1")
    with pytest.raises(UnknownCoin) as caught:
        get_prices("BTC", ["USD", "ISK", "NOK"], ["coinbase"])
    assert str(caught.value) == "coinbase: there is no price for BTC in ISK, NOK"


def limited(seconds: int) -> Reply:
    return Reply(429, headers={"Retry-After": str(seconds)})


@pytest.mark.parametrize(
    ("kraken", "coinbase", "kind"),
    [
        (recorded("kraken_unknown"), recorded("coinbase_unknown", 400), UnknownCoin),
        (limited(90), limited(60), RateLimited),
        (Reply(body=b"<html>"), rates(USD="x"), BadResponse),
        (Reply(503), Reply(502), PriceUnavailable),
        (Reply(503), recorded("coinbase_unknown", 400), PriceUnavailable),
        (limited(60), Reply(body=b"<html>"), PriceUnavailable),
    ],
)
def test_the_error_has_the_common_class_of_all_failures(
    exchanges: HttpStub,
    monkeypatch: pytest.MonkeyPatch,
    kraken: Reply,
    coinbase: Reply,
    kind: type[PriceUnavailable],
) -> None:
    exchanges.answer = lambda _hit: coinbase
    with http_server() as another_host:
        another_host.replies = [kraken]
        monkeypatch.setenv("COINREQUEST_PRICE_URL_KRAKEN", another_host.url)
        with pytest.raises(PriceUnavailable) as caught:
            get_prices("BTC", ["USD"], ["kraken", "coinbase"])
    error = caught.value
    assert type(error) is kind
    assert error.source == "kraken, coinbase"
    assert str(error).startswith("kraken, coinbase: no price for BTC in USD (kraken: ")
    assert isinstance(error.__cause__, ExceptionGroup)
    assert [type(cause) is kind or kind is PriceUnavailable for cause in error.__cause__.exceptions] == [True, True]
    if isinstance(error, RateLimited):
        assert error.retry_after is not None
        assert 50 < error.retry_after <= 60


def test_one_currency_without_a_price_fails_the_call(exchanges: HttpStub) -> None:
    exchanges.answer = lambda hit: kraken_that_knows("XBTUSD")(hit) if is_kraken(hit) else rates(USD="1")
    with pytest.raises(UnknownCoin, match=r"kraken, coinbase: no price for BTC in ISK \(kraken: .*; coinbase: .*\)"):
        get_prices("BTC", ["USD", "ISK"], ["kraken", "coinbase"])


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"currencies": []}, "at least one currency"),
        ({"currencies": ["XTS"]}, "reserves it"),
        ({"currencies": ["EURO"]}, "did you mean 'EUR'"),
        ({"coin": "B T C"}, "is not the code"),
        ({"sources": ["krakn"]}, "did you mean 'kraken'"),
        ({"aggregate": "mode"}, "choose from median, mean, first"),
    ],
)
def test_invalid_arguments_are_refused(exchanges: HttpStub, question: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        get_prices(**{"coin": "BTC", "currencies": ["USD"], **question})  # type: ignore[arg-type]
    assert exchanges.hits == []


def test_an_unknown_source_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_PRICE_SOURCE", "coinbse")
    with pytest.raises(SettingInvalid, match="COINREQUEST_PRICE_SOURCE: there is no price source 'coinbse'; did you"):
        get_prices("BTC", ["USD"])


def test_requests_carry_no_credentials(exchanges: HttpStub) -> None:
    get_prices("BTC", ["USD"], ALL)
    for hit in exchanges.hits:
        assert hit.headers["user-agent"].startswith("coinrequest/")
        assert not {"authorization", "cookie"} & set(hit.headers)


def test_a_process_that_ends_does_not_wait_for_a_late_source(exchanges: HttpStub) -> None:
    release = threading.Event()
    exchanges.answer = lambda hit: Reply(wait=release) if is_kraken(hit) else every_source(hit)
    program = (
        "from coinrequest.prices import get_prices;"
        "print(get_prices('BTC', ['USD'], ['kraken', 'coinbase'], timeout=1).prices[0].source)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=dict(os.environ), capture_output=True, text=True, timeout=20, check=True
    )
    release.set()
    assert done.stdout == "coinbase\n"


def test_the_package_has_its_public_names_and_loads_nothing_heavy() -> None:
    program = (
        "import sys; from coinrequest.prices import (get_prices, Price, PriceAnswer, PriceUnavailable, UnknownCoin,"
        " RateLimited, BadResponse);"
        "heavy = {'requests', 'urllib3', 'email', 'iso4217', 'ccxt', 'pydantic', 'rich', 'asyncio'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
