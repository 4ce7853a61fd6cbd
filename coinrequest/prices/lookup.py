"""Ask the configured sources, or others, for prices."""

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
from coinrequest.prices.sources import open_source
from coinrequest.prices.sources.base import Source
from coinrequest.prices.symbols import normalise_coin, normalise_currencies

_Outcomes = dict[tuple[str, str], Price | PriceUnavailable]
# A source whose own time-out comes first says more of what happened.
_GRACE_SECONDS = 0.25


def get_prices(
    coin: str,
    currencies: Sequence[str],
    sources: Sequence[str] | None = None,
    aggregate: Aggregate = "median",
    timeout: float = TIMEOUT_SECONDS,
) -> PriceAnswer:
    """Ask one or more sources, all at the same time, what a coin costs.

    A source that fails does not fail the call; the answer tells.

    Args:
        coin: such as `BTC`; `XBT` and lower case are understood.
        currencies: such as `("USD", "EUR")`: of ISO 4217, or known coins such as `USDT`. One that is named twice is
            asked for once.
        sources: such as `("coinbase", "kraken", "ccxt:binance")`; None: those of `COINREQUEST_PRICE_SOURCE`.
        aggregate: how several prices become one (`aggregate.combine`); `first` is the one of the first source in order
            that has one, and waits for no other.
        timeout: seconds for the whole call. Loading ccxt for the first time comes on top of it.

    Returns:
        One price for each currency, in their order, and what each source said.

    Raises:
        ValueError: a code that is none, an unknown source or aggregate, or no currency at all.
        PriceUnavailable: no source has a price in one of the currencies. It is of the kind that all reasons have in
            common: `UnknownCoin`, `RateLimited` (with the shortest `retry_after`), `BadResponse`. A single reason is
            raised as it is; several are an `ExceptionGroup` that is the cause.
        coinrequest.settings.SettingInvalid: the environment names a source that does not exist.
    """
    base = normalise_coin(coin)
    wanted = normalise_currencies(currencies)
    if not wanted:
        raise ValueError("name at least one currency")
    if aggregate not in AGGREGATES:
        raise ValueError(f"there is no aggregate {str(aggregate)[:50]!r}; there are {', '.join(AGGREGATES)}")
    asked = {source.name: source for source in _open(sources, timeout)}
    outcomes = _ask_all(asked, base, wanted, aggregate, timeout)
    return _answer(outcomes, tuple(asked), base, wanted, aggregate)


def _open(names: Sequence[str] | None, timeout: float) -> Iterator[Source]:
    if names:
        yield from (open_source(name, timeout) for name in names)
        return
    for name in settings.price_sources():
        try:
            yield open_source(name, timeout)
        except ValueError as error:
            raise settings.SettingInvalid(f"COINREQUEST_PRICE_SOURCE: {error}") from error


def _ask_all(
    sources: Mapping[str, Source], coin: str, currencies: Sequence[str], aggregate: Aggregate, timeout: float
) -> _Outcomes:
    """Ask in a thread for each source; whoever is late is left to itself, and its threads hold nothing up."""
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
        late = PriceUnavailable(name, f"no answer within {timeout:g} seconds")
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
    left = list(currencies)
    try:
        for outcome in source.ask(coin, currencies):
            results.put((source.name, left.pop(0), outcome))
            if not left or time.monotonic() > deadline:
                return
    except PriceUnavailable as error:
        reason = error
    except Exception as error:  # a defect of one source keeps the prices of the others from nobody
        reason = PriceUnavailable(source.name, f"it failed: {error!r}")
        reason.__cause__ = error
    for currency in left:
        results.put((source.name, currency, reason))


def _is_settled(outcomes: _Outcomes, names: Iterable[str], currency: str) -> bool:
    """Say whether no answer that is still to come can be the first in order that has a price."""
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
        said = [outcomes[name, currency] for name in names if (name, currency) in outcomes]
        found = [outcome for outcome in said if isinstance(outcome, Price)]
        if not found:
            missing.append(currency)
            continue
        price, left_out = combine(found, aggregate)
        prices.append(price)
        quotes.extend(found)
        dropped.extend(left_out)
    if missing:
        raise _no_price(coin, missing, _failures(outcomes, names, missing))
    return PriceAnswer(
        prices=tuple(prices),
        quotes=tuple(quotes),
        dropped=tuple(dropped),
        failures=tuple(_failures(outcomes, names, currencies)),
    )


def _failures(outcomes: _Outcomes, names: Sequence[str], currencies: Sequence[str]) -> list[PriceUnavailable]:
    """Return the reasons why there are no prices, each once, by source."""
    said = [outcomes.get((name, currency)) for name in names for currency in currencies]
    reasons = {id(outcome): outcome for outcome in said if isinstance(outcome, PriceUnavailable)}
    return list(reasons.values())


def _no_price(coin: str, currencies: Sequence[str], failures: Sequence[PriceUnavailable]) -> PriceUnavailable:
    if len(failures) == 1:
        return failures[0]
    names = ", ".join(dict.fromkeys(failure.source for failure in failures))
    text = f"no price of {coin} in {', '.join(currencies)} ({'; '.join(map(str, failures))})"
    kinds = {type(failure) for failure in failures}
    kind = kinds.pop() if len(kinds) == 1 else PriceUnavailable
    error: PriceUnavailable
    if issubclass(kind, RateLimited):
        waits = [failure.retry_after for failure in failures if isinstance(failure, RateLimited)]
        known = [wait for wait in waits if wait is not None]
        error = kind(names, text, min(known, default=None))
    else:
        error = kind(names, text)
    error.__cause__ = ExceptionGroup("why no source has a price", list(failures))
    return error
