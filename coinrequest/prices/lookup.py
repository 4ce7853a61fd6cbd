"""Asks several sources for prices at the same time."""

import contextlib
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from coinrequest import settings
from coinrequest.prices.aggregate import AGGREGATES, Aggregate, combine
from coinrequest.prices.client import TIMEOUT_SECONDS
from coinrequest.prices.errors import PriceUnavailable, RateLimited
from coinrequest.prices.price import Price, PriceAnswer
from coinrequest.prices.sources import check_source, open_source
from coinrequest.prices.sources.base import Source
from coinrequest.prices.symbols import normalise_coin, normalise_currencies

_Outcomes = dict[tuple[str, str], Price | PriceUnavailable]
# A source's own time-out says more than ours, so it gets a little more time.
_GRACE_SECONDS = 0.25


def get_prices(
    coin: str,
    currencies: Sequence[str],
    sources: Sequence[str] | None = None,
    aggregate: Aggregate = "median",
    timeout: float = TIMEOUT_SECONDS,
) -> PriceAnswer:
    """Return the current price of a coin, from one or more sources that are asked at the same time.

    If some sources fail, the call succeeds with the others, and the answer has the failures.

    Args:
        coin: a code such as `BTC`; `XBT` and lower case are accepted too.
        currencies: codes such as `("USD", "EUR")`, from ISO 4217 or of known coins such as `USDT`. Duplicates are
            ignored.
        sources: names such as `("coinbase", "kraken", "ccxt:binance")`; None for those of `COINREQUEST_PRICE_SOURCE`.
        aggregate: how to combine the prices of several sources (`aggregate.combine`); `first` takes the price of the
            first source in order that has one, without waiting for the sources after it.
        timeout: seconds for the whole call, without the first import of ccxt.

    Returns:
        One price for each currency, in their order, with the quotes and the failures of the sources.

    Raises:
        ValueError: a code is invalid, a source or the aggregate is unknown, or there is no currency.
        PriceUnavailable: no source has a price in one of the currencies. If all failures have the same class, it has
            that class: `UnknownCoin`, `RateLimited` (with the shortest `retry_after`) or `BadResponse`. A single
            failure is raised as it is; several are its cause, as an `ExceptionGroup`.
        coinrequest.settings.SettingInvalid: `COINREQUEST_PRICE_SOURCE` names an unknown source.
    """
    base = normalise_coin(coin)
    wanted = normalise_currencies(currencies)
    if not wanted:
        raise ValueError("name at least one currency")
    if aggregate not in AGGREGATES:
        raise ValueError(f"unknown aggregate {str(aggregate)[:50]!r}; choose from {', '.join(AGGREGATES)}")
    asked = {source.name: source for source in _open(sources, timeout)}
    outcomes = _ask_all(asked, base, wanted, aggregate, timeout)
    return _answer(outcomes, tuple(asked), base, wanted, aggregate)


def _open(names: Sequence[str] | None, timeout: float) -> Iterator[Source]:
    if names:
        yield from (_open_one(name, timeout) for name in names)
        return
    for name in settings.price_sources():
        try:
            yield _open_one(name, timeout)
        except ValueError as error:
            raise settings.SettingInvalid(f"COINREQUEST_PRICE_SOURCE: {error}") from error


def _open_one(name: str, timeout: float) -> Source:
    try:
        return open_source(name, timeout)
    except (ValueError, settings.SettingInvalid):
        raise
    except Exception as error:  # an exchange that ccxt cannot open must not hide the prices of the others
        return _Unopened(check_source(name), error)


class _Unopened(Source):
    """A source that cannot be opened."""

    public_url = ""

    def __init__(self, name: str, error: Exception) -> None:
        self.name = name
        super().__init__()
        self._error_of_opening = error

    def ask(self, coin: str, currencies: Sequence[str]) -> Iterator[Price | PriceUnavailable]:
        raise PriceUnavailable(
            self.name, f"it cannot be opened: {self._error_of_opening!r}"
        ) from self._error_of_opening


def _ask_all(
    sources: Mapping[str, Source], coin: str, currencies: Sequence[str], aggregate: Aggregate, timeout: float
) -> _Outcomes:
    """Ask each source in a daemon thread, and stop waiting for late ones at the deadline."""
    deadline = time.monotonic() + timeout + _GRACE_SECONDS
    results: queue.SimpleQueue[tuple[str, str, Price | PriceUnavailable]] = queue.SimpleQueue()
    for source in sources.values():
        threading.Thread(
            target=_ask, args=(source, coin, currencies, results, deadline), name=f"prices-{source.name}", daemon=True
        ).start()
    outcomes: _Outcomes = {}
    with contextlib.suppress(queue.Empty):
        while len(outcomes) < len(sources) * len(currencies):
            name, currency, outcome = results.get(timeout=max(0.0, deadline - time.monotonic()))
            outcomes[name, currency] = outcome
            if aggregate == "first" and all(_is_settled(outcomes, sources, currency) for currency in currencies):
                return outcomes
    for name in sources:
        late = PriceUnavailable(name, f"no response within {timeout:g} seconds")
        for currency in currencies:
            outcomes.setdefault((name, currency), late)
    return outcomes


def _ask(
    source: Source,
    coin: str,
    currencies: Sequence[str],
    results: "queue.SimpleQueue[tuple[str, str, Price | PriceUnavailable]]",
    deadline: float,
) -> None:
    remaining = list(currencies)
    try:
        for outcome in source.ask(coin, currencies):
            results.put((source.name, remaining.pop(0), outcome))
            if not remaining or time.monotonic() > deadline:
                return
    except PriceUnavailable as error:
        reason = error
    except Exception as error:  # a bug in one source must not hide the prices of the others
        reason = PriceUnavailable(source.name, f"it failed: {error!r}")
        reason.__cause__ = error
    for currency in remaining:
        results.put((source.name, currency, reason))


def _is_settled(outcomes: _Outcomes, names: Iterable[str], currency: str) -> bool:
    """Return whether the first source in order that has a price is already known."""
    for name in names:
        outcome = outcomes.get((name, currency))
        if not isinstance(outcome, PriceUnavailable):
            return outcome is not None
    return True


def _answer(
    outcomes: _Outcomes, names: Sequence[str], coin: str, currencies: Sequence[str], aggregate: Aggregate
) -> PriceAnswer:
    prices: list[Price] = []
    quotes: list[Price] = []
    dropped: list[Price] = []
    missing: list[str] = []
    for currency in currencies:
        known = [outcomes[name, currency] for name in names if (name, currency) in outcomes]
        found = [outcome for outcome in known if isinstance(outcome, Price)]
        if not found:
            missing.append(currency)
            continue
        price, outliers = combine(found, aggregate)
        prices.append(price)
        quotes.extend(found)
        dropped.extend(outliers)
    if missing:
        raise _no_price(coin, missing, _failures(outcomes, names, missing))
    return PriceAnswer(
        prices=tuple(prices),
        quotes=tuple(quotes),
        dropped=tuple(dropped),
        failures=tuple(_failures(outcomes, names, currencies)),
    )


def _failures(outcomes: _Outcomes, names: Sequence[str], currencies: Sequence[str]) -> list[PriceUnavailable]:
    """Return the failures in the order of the sources, each once."""
    known = [outcomes.get((name, currency)) for name in names for currency in currencies]
    failures = {id(outcome): outcome for outcome in known if isinstance(outcome, PriceUnavailable)}
    return list(failures.values())


def _no_price(coin: str, currencies: Sequence[str], failures: Sequence[PriceUnavailable]) -> PriceUnavailable:
    if len(failures) == 1:
        return failures[0]
    names = ", ".join(dict.fromkeys(failure.source for failure in failures))
    text = f"no price for {coin} in {', '.join(currencies)} ({'; '.join(map(str, failures))})"
    kinds = {type(failure) for failure in failures}
    kind = kinds.pop() if len(kinds) == 1 else PriceUnavailable
    error: PriceUnavailable
    if issubclass(kind, RateLimited):
        waits = [failure.retry_after for failure in failures if isinstance(failure, RateLimited)]
        known = [wait for wait in waits if wait is not None]
        error = kind(names, text, min(known, default=None))
    else:
        error = kind(names, text)
    error.__cause__ = ExceptionGroup("no source has a price", list(failures))
    return error
