"""Answers of the sources in the form that they document, and a server that gives them."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from support.http_stub import Hit, Reply

ANSWERS = Path(__file__).parents[1] / "unit" / "prices" / "answers"


def recorded(name: str, status: int = 200) -> Reply:
    """Reply with a recorded answer."""
    return Reply(status, (ANSWERS / f"{name}.json").read_bytes())


def rates(**amounts: object) -> Reply:
    """Reply as Coinbase does."""
    return Reply(body=json.dumps({"data": {"currency": "BTC", "rates": amounts}}).encode())


def tickers(**pairs: str) -> Reply:
    """Reply as Kraken does, with the prices of some pairs."""
    result = {name: {"a": [last, "1", "1"], "b": [last, "1", "1"], "c": [last, "1"]} for name, last in pairs.items()}
    return Reply(body=json.dumps({"error": [], "result": result}).encode())


def every_source(hit: Hit) -> Reply:
    """Answer as whichever source is asked for by the path."""
    path = urlsplit(hit.path).path
    if path.startswith("/0/public/Ticker"):
        return recorded("kraken")
    if path.startswith("/api/v2/ticker/"):
        return recorded("bitstamp") if path == "/api/v2/ticker/btcusd/" else recorded("bitstamp_unknown", 404)
    if path.startswith("/api/v3/simple/price"):
        return recorded("coingecko")
    return recorded("coinbase")


def kraken_that_knows(*pairs: str) -> Callable[[Hit], Reply]:
    """Answer as Kraken does: one unknown pair fails the request."""

    def answer(hit: Hit) -> Reply:
        asked = parse_qs(urlsplit(hit.path).query)["pair"][0].split(",")
        return tickers(**dict.fromkeys(asked, "5.0")) if set(asked) <= set(pairs) else recorded("kraken_unknown")

    return answer
