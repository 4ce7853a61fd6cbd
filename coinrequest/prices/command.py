"""The command `coinrequest prices`."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from coinrequest.prices.aggregate import AGGREGATES
from coinrequest.prices.client import TIMEOUT_SECONDS
from coinrequest.prices.errors import PriceUnavailable
from coinrequest.prices.lookup import get_prices
from coinrequest.prices.price import Price, PriceAnswer
from coinrequest.prices.report import PriceLine, text_table
from coinrequest.settings import SettingInvalid

SUCCESS, NO_PRICE, USAGE = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        prog="coinrequest prices",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Show the current price of a coin on exchanges.",
        epilog="""\
examples:
  coinrequest prices BTC USD EUR
  coinrequest prices ETH EUR --source coinbase --source kraken --source bitstamp
  coinrequest prices BTC USDT --source ccxt:binance --json
  coinrequest prices BTC USD --source kraken --source coinbase --aggregate first    # coinbase if kraken fails

exit codes: 0 success, 1 no price in one of the currencies, 2 usage error
""",
    )
    found.add_argument("coin", metavar="COIN", help="the code of the coin, such as BTC")
    found.add_argument("currencies", metavar="CURRENCY", nargs="+", help="codes such as USD, EUR or USDT")
    found.add_argument(
        "--source",
        action="append",
        dest="sources",
        metavar="NAME",
        help="bitstamp, coinbase, coingecko, kraken or ccxt:EXCHANGE; may be repeated "
        "(default: COINREQUEST_PRICE_SOURCE, or coinbase)",
    )
    found.add_argument(
        "--aggregate",
        choices=AGGREGATES,
        default="median",
        help="how to combine the prices of several sources (default: median)",
    )
    found.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="the time for all requests together (default: 10)",
    )
    found.add_argument("--json", action="store_true", help="print a JSON document instead of a table")
    return found


def main(words: Sequence[str] = ()) -> int:
    """Run the command and return its exit code.

    Args:
        words: the arguments after `coinrequest prices`.
    """
    arguments = parser().parse_args(words)
    try:
        answer = get_prices(
            arguments.coin, arguments.currencies, arguments.sources, arguments.aggregate, arguments.timeout
        )
    except PriceUnavailable as error:
        return _fail(NO_PRICE, str(error))
    except (ValueError, SettingInvalid) as error:
        return _fail(USAGE, str(error))
    except KeyboardInterrupt:
        return 130
    sys.stdout.write(json.dumps(_document(answer), indent=2) + "\n" if arguments.json else _table(answer))
    return SUCCESS


def _printable(line: str) -> str:
    """Escape what a source could control the terminal with, or what the terminal cannot encode."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    encoding = sys.stdout.encoding or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 300:
        raise argparse.ArgumentTypeError("must be a number of seconds above 0 and up to 300")
    return seconds


def _table(answer: PriceAnswer) -> str:
    lines = [
        PriceLine(
            currency=price.quote,
            rate=format(price.amount, "f"),
            bid="" if price.bid is None else format(price.bid, "f"),
            ask="" if price.ask is None else format(price.ask, "f"),
            price_date=(price.exchange_time or price.fetched_at).isoformat(),
            source=price.source,
        )
        for price in answer.prices
    ]
    notes = [f"answered: {', '.join(answer.answered)}"]
    notes += [
        f"dropped: {quote.source} with {quote.amount:f} {quote.quote}, too far from the others"
        for quote in answer.dropped
    ]
    notes += [f"failed: {failure}" for failure in answer.failures]
    return text_table(lines) + "\n" + "\n".join(map(_printable, notes)) + "\n"


def _document(answer: PriceAnswer) -> Mapping[str, Any]:
    return {
        "prices": [_plain(price) for price in answer.prices],
        "quotes": [_plain(quote) for quote in answer.quotes],
        "dropped": [_plain(quote) for quote in answer.dropped],
        "answered": list(answer.answered),
        "failures": [
            {"source": failure.source, "kind": type(failure).__name__, "message": failure.message}
            for failure in answer.failures
        ],
    }


def _plain(price: Price) -> Mapping[str, str | None]:
    return {
        "coin": price.base,
        "currency": price.quote,
        "rate": format(price.amount, "f"),
        "bid": None if price.bid is None else format(price.bid, "f"),
        "ask": None if price.ask is None else format(price.ask, "f"),
        "source": price.source,
        "exchange_time": None if price.exchange_time is None else price.exchange_time.isoformat(),
        "fetched_at": price.fetched_at.isoformat(),
    }


def _fail(code: int, text: str) -> int:
    sys.stderr.write(f"coinrequest prices: {_printable(text)}\n")
    return code
