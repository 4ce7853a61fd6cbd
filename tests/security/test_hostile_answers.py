"""Servers that answer what no server should: each client ends in time, in little memory, with an answer or a reason.

The clients are all that talk to servers which somebody else runs: `url.test`, `http.request`, the sources of prices and
the webhooks of notices.
"""

import gzip
import itertools
import random
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import psutil
import pytest
from support.actions import run
from support.raw_server import LOOPBACK, Conversation, raw_server

from coinrequest.actions.base import ActionFailed
from coinrequest.notices.claims import Claim
from coinrequest.notices.destinations import webhook
from coinrequest.notices.policy import Policy
from coinrequest.prices.client import PriceClient
from coinrequest.prices.errors import PriceUnavailable
from coinrequest.urltest.url_test import test_url as url_tested

pytestmark = pytest.mark.security

# Seconds, and how much longer a client may take that shares two cores with three others.
TIMEOUT = 1.5
LATE = 3.0
# Bytes, of all four clients together.
LARGEST_GROWTH = 96 * 1024 * 1024
MUTATIONS = 400

OK = b"HTTP/1.1 200 OK\r\n"
PLAIN = OK + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
ZEROS = bytes(200 * 1024 * 1024)


def says(*parts: bytes) -> Callable[[Conversation], None]:
    return lambda conversation: conversation.say(*parts)


def endless(begin: bytes, part: bytes, pause: float = 0.0) -> Callable[[Conversation], None]:
    """Say the part again and again until the client goes, at most for twice its patience."""

    def talk(conversation: Conversation) -> None:
        until = time.monotonic() + 2 * TIMEOUT
        conversation.say(begin)
        while time.monotonic() < until:
            conversation.say(part)
            time.sleep(pause)

    return talk


def encoded(encoding: bytes, body: bytes) -> Callable[[Conversation], None]:
    head = OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body))
    return says(head, body)


def with_charset(charset: bytes, body: bytes) -> Callable[[Conversation], None]:
    return says(OK + b"Content-Type: text/plain; charset=%s\r\nContent-Length: %d\r\n\r\n" % (charset, len(body)), body)


def redirect(to: bytes) -> Callable[[Conversation], None]:
    return says(b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % to)


ANSWERS: dict[str, Callable[[Conversation], None]] = {
    "nothing": says(),
    "silence": lambda conversation: conversation.wait_for_the_end(),
    "no HTTP": says(b"220 mail.example.org ESMTP\r\n"),
    "zeros": says(bytes(100_000)),
    "half a status line": says(b"HTTP/1.1 2"),
    "a status of words": says(b"HTTP/1.1 OK fine\r\n\r\n"),
    "a status of 20 digits": says(b"HTTP/1.1 99999999999999999999 OK\r\n\r\n"),
    "a negative status": says(b"HTTP/1.1 -200 OK\r\nContent-Length: 0\r\n\r\n"),
    "a status of 0": says(b"HTTP/1.1 000 \r\nContent-Length: 0\r\n\r\n"),
    "a status line of 1 MB": says(OK[:-2], b"x" * 1_000_000, b"\r\n\r\n"),
    "HTTP 9.9": says(b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "endless headers": endless(OK, b"X-%s: %s\r\n" % (b"a" * 100, b"b" * 8000)),
    "one endless header": endless(OK + b"X: ", b"y" * 65536),
    "100,000 headers": says(OK, b"X: y\r\n" * 100_000, b"\r\n"),
    "headers that are none": says(OK + b"no colon\r\n: no name\r\n\x00: nul\r\nX : space\r\n folded\r\n\r\n"),
    "headers of odd bytes": says(OK + bytes(range(128, 256)) + b": " + bytes(range(128, 256)) + b"\r\n\r\n"),
    "100 Continue without end": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "103 Early Hints without end": endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "switching protocols": says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nodd"),
    "a drip of headers": endless(OK, b"X", 0.05),
    "a drip of the body": endless(OK + b"Content-Length: 1000000\r\n\r\n", b"x", 0.05),
    "an endless body": endless(OK + b"\r\n", b"x" * 65536),
    "a body longer than it says": says(OK + b"Content-Length: 2\r\n\r\n" + b"x" * 100_000),
    "a body shorter than it says": says(OK + b"Content-Length: 100\r\n\r\n{}"),
    "a length of words": says(OK + b"Content-Length: two\r\n\r\n{}"),
    "a negative length": says(OK + b"Content-Length: -1\r\n\r\n{}"),
    "a length of 30 digits": says(OK + b"Content-Length: %s\r\n\r\n{}" % (b"9" * 30)),
    "two lengths": says(OK + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}"),
    "length and chunks": says(OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    "chunks without a size": says(OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n"),
    "a negative chunk": says(OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"),
    "a huge chunk": says(OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello"),
    "chunk extensions without end": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n5;", b"a=b;" * 4096),
    "trailers without end": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1024),
    "empty chunks": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1024),
    "an unknown transfer coding": says(OK + b"Transfer-Encoding: odd\r\n\r\n{}"),
    "a bomb of gzip": encoded(b"gzip", gzip.compress(ZEROS)),
    "a bomb of deflate": encoded(b"deflate", zlib.compress(ZEROS)),
    "a bomb in a bomb": encoded(b"gzip, gzip", gzip.compress(gzip.compress(ZEROS))),
    "50 encodings": encoded(b", ".join([b"gzip"] * 50), b"x"),
    "gzip that is none": encoded(b"gzip", b"{}"),
    "gzip that ends early": encoded(b"gzip", gzip.compress(b"x" * 100_000)[:50]),
    "an unknown encoding": encoded(b"odd", b"{}"),
    "a redirect to itself": redirect(b"/again"),
    "a redirect of 1 MB": redirect(b"/" + b"x" * 1_000_000),
    "a redirect to a file": redirect(b"file:///etc/passwd"),
    "a redirect to odd bytes": redirect(b"http://\x00\xff\r"),
    "a redirect to nowhere": redirect(b"http://[::1"),
    "a redirect without an address": says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
    "Retry-After of 5,000 digits": says(
        b"HTTP/1.1 429 Too Many\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n" % (b"9" * 5000)
    ),
    "Retry-After that is no time": says(
        b"HTTP/1.1 503 Away\r\nRetry-After: Fri, 99 Foo -1 99:99:99 GMT\r\nContent-Length: 0\r\n\r\n"
    ),
    "cookies": says(OK + b"Set-Cookie: a=%s\r\n" % (b"x" * 8000) * 10 + b"Content-Length: 2\r\n\r\n{}"),
    **{
        f"charset {charset.decode()}": with_charset(charset, b"xn--a-\x80.+/v8-" * 20_000)
        for charset in (
            *(b"idna", b"punycode", b"utf-7", b"unicode_escape", b"raw_unicode_escape", b"undefined", b"zip", b"rot13"),
            *(b"utf-16", b"utf-32", b"mbcs", b"../../x", b"x" * 5000, b'"', b"utf-8;charset=utf-16"),
        )
    },
    "deep JSON": with_charset(b"utf-8", b"[" * 200_000),
    "a number of 200,000 digits": with_charset(b"utf-8", b"9" * 200_000),
}


def mutated(seed: int) -> bytes:
    """A good answer in which chance changed, doubled, moved or took away some bytes."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    text = bytearray(chance.choice([PLAIN, OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]))
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(text))
        match chance.randrange(4):
            case 0:
                text[at] = chance.randrange(256)
            case 1:
                text[at:at] = text[at : at + chance.randint(1, 20)] * chance.randint(1, 50)
            case 2:
                del text[at : at + chance.randint(1, 10)]
                text = text or bytearray(b"x")
            case _:
                text[at:at] = chance.choice([b"\r\n", b"\x00", b"\n\n", b": ", b"\xff\xfe", b"gzip"])
    return bytes(text)


def test_url(url: str) -> str:
    found = url_tested(url, guard=LOOPBACK, timeout=TIMEOUT, attempts=1)
    assert found.status is not None or found.error
    return found.result


def http_request(url: str) -> str:
    try:
        return str(run("http.request", {"url": url, "timeout": TIMEOUT})["status"])
    except ActionFailed as failed:
        return str(failed)


def price(url: str) -> str:
    try:
        return repr(PriceClient(sleep=lambda _seconds: None).fetch("kraken", url, {}, TIMEOUT))[:100]
    except PriceUnavailable as failed:
        return str(failed)


def webhook_delivered(url: str) -> str:
    now = datetime.now(UTC)
    claim = Claim(uuid4(), "webhook", url, None, None, "{}", 0, now, "x", now)
    outcome = webhook.deliver(claim, Policy(webhook_seconds=TIMEOUT, connect_seconds=TIMEOUT))
    assert outcome.delivered or outcome.error
    return outcome.error or str(outcome.status)


test_url.__test__ = False  # type: ignore[attr-defined]
CLIENTS = (test_url, http_request, price, webhook_delivered)


class Growth:
    """How much more memory the process needs at most than at the beginning, in bytes."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self.most = self._process.memory_info().rss
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Growth":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def bytes(self) -> int:
        return self.most - self._before

    def _look(self) -> None:
        while not self._over.wait(0.01):
            self.most = max(self.most, self._process.memory_info().rss)


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "127.0.0.0/8")


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[list[tuple[float, int, str]]]:
    """What each answer cost: seconds, bytes, and which it was."""
    found: list[tuple[float, int, str]] = []
    yield found
    slowest, largest = max(found), max(found, key=lambda figure: figure[1])
    print(
        f"\n{len(found)} hostile answers: the slowest took {slowest[0]:.1f} s ({slowest[2]}),"
        f" the largest {largest[1] / 2**20:.0f} MiB ({largest[2]})"
    )


def ask(client: Callable[[str], str], url: str) -> tuple[float, str]:
    started = time.monotonic()
    said = client(url)
    return time.monotonic() - started, said


@pytest.mark.parametrize("what", ANSWERS)
def test_every_client_ends_in_time_with_an_answer_or_a_reason(what: str, figures: list[tuple[float, int, str]]) -> None:
    with Growth() as growth, raw_server(ANSWERS[what]) as server, ThreadPoolExecutor(len(CLIENTS)) as pool:
        url = f"{server.url}/hook"
        ended = list(pool.map(lambda client: ask(client, url), CLIENTS))
    seconds = max(took for took, _ in ended)
    figures.append((seconds, growth.bytes, what))
    for client, (_, said) in zip(CLIENTS, ended, strict=True):
        # A reason for people: no traceback, no type's name alone, no page of text.
        assert re.search(r"\w", said), client.__name__
        assert len(said) < 5000, client.__name__
    assert seconds < TIMEOUT + LATE
    assert growth.bytes < LARGEST_GROWTH


def test_mutated_answers_end_likewise(figures: list[tuple[float, int, str]]) -> None:
    seeds = itertools.count()

    def talk(conversation: Conversation) -> None:
        conversation.say(mutated(next(seeds)))

    with Growth() as growth, raw_server(talk) as server, ThreadPoolExecutor(16) as pool:
        calls = [(client, f"{server.url}/hook") for client in CLIENTS] * (MUTATIONS // len(CLIENTS))
        ended = list(pool.map(lambda call: ask(*call), calls))
    figures.append((max(took for took, _ in ended), growth.bytes, f"{len(ended)} mutated answers"))
    assert all(said for _, said in ended)
    assert max(took for took, _ in ended) < 2 * TIMEOUT + LATE
    assert growth.bytes < LARGEST_GROWTH
