"""Threads and processes that share a client and its cache."""

import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.fake_clock import FakeClock
from support.http_stub import HttpStub, Reply
from support.raw_price_server import RawServer

from coinrequest.prices import client, rate_limits
from coinrequest.prices.client import PriceClient
from coinrequest.prices.errors import PriceUnavailable
from coinrequest.prices.response_cache import ResponseCache

CALLERS = 12


class CountingClock(FakeClock):
    """Tells when so many threads wait for somebody else's request: each has looked at it twice by then."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.all_wait = threading.Event()
        self._threads = threads
        self._looks: Counter[int] = Counter()

    def __call__(self) -> float:
        self._looks[threading.get_ident()] += 1
        if sum(looks >= 2 for looks in list(self._looks.values())) >= self._threads:
            self.all_wait.set()
        return self.now


def test_concurrent_equal_requests_are_sent_once(http_stub: HttpStub) -> None:
    release = threading.Event()
    http_stub.replies = [Reply(body=b"[1]", wait=release)]
    asking = PriceClient(clock=FakeClock())
    with ThreadPoolExecutor(CALLERS) as pool:
        answers = [pool.submit(asking.fetch, "somewhere", http_stub.url, {"a": "1"}) for _ in range(CALLERS)]
        release.set()
        assert {answer.result().document[0] for answer in answers} == {1}
    assert len(http_stub.hits) == 1


def test_callers_that_share_a_failed_request_get_their_own_errors() -> None:
    clock = CountingClock(CALLERS - 1)
    cache: ResponseCache[str] = ResponseCache(1, clock)
    asked = []

    def ask() -> str:
        asked.append(1)
        assert clock.all_wait.wait(30)
        raise PriceUnavailable("somewhere", "it is closed") from OSError("the cause")

    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(cache.get, "question", ask, clock.now + 60) for _ in range(CALLERS)]
        errors = [call.exception() for call in calls]
    assert len(asked) == 1
    assert {str(error) for error in errors} == {"somewhere: it is closed"}
    assert {str(error.__cause__) for error in errors if error} == {"the cause"}
    assert len({id(error) for error in errors}) == CALLERS


def test_a_short_deadline_does_not_wait_for_a_shared_request(http_stub: HttpStub) -> None:
    release = threading.Event()
    http_stub.replies = [Reply(body=b"[1]", wait=release)]
    asking = PriceClient()
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(asking.fetch, "somewhere", http_stub.url, {}, 30)
        with pytest.raises(PriceUnavailable, match=r"within 0\.1 seconds"):
            asking.fetch("somewhere", http_stub.url, {}, 0.1)
        release.set()
        assert patient.result().document == [1]


def test_a_long_deadline_is_not_cut_by_a_shared_request() -> None:
    clock = CountingClock(1)
    cache: ResponseCache[str] = ResponseCache(1, clock)
    is_asked = threading.Event()

    def too_late() -> str:
        is_asked.set()
        assert clock.all_wait.wait(30)
        clock.now += 1
        raise PriceUnavailable("somewhere", "no complete response within 1 seconds")

    with ThreadPoolExecutor(2) as pool:
        hasty = pool.submit(cache.get, "question", too_late, clock.now + 1)
        assert is_asked.wait(30)
        patient = pool.submit(cache.get, "question", lambda: "answer", clock.now + 60)
        assert isinstance(hasty.exception(), PriceUnavailable)
        assert patient.result() == "answer"


def test_a_hanging_request_does_not_block_the_next_one(raw_stub: RawServer) -> None:
    def endless_at_first(connection: socket.socket) -> bool:
        if len(raw_stub.requests) == 1:
            return raw_stub.drip(connection, b"HTTP/1.1 200 OK\r\nX-Slow: ")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]")
        return False

    raw_stub.reply = endless_at_first
    asking = PriceClient()
    with pytest.raises(PriceUnavailable, match=r"within 0\.1 seconds"):
        asking.fetch("somewhere", raw_stub.url, {}, 0.1)
    assert asking.fetch("somewhere", raw_stub.url, {}, 30).document == [1]


def test_a_response_is_cached_for_a_second_for_the_same_request(http_stub: HttpStub) -> None:
    clock = FakeClock()
    asking = PriceClient(clock=clock)
    http_stub.replies = [Reply(body=b"[1]"), Reply(body=b"[2]"), Reply(body=b"[3]"), Reply(body=b"[4]")]

    def ask(source: str, number: str) -> int:
        return int(asking.fetch(source, http_stub.url, {"number": number}).document[0])

    assert [ask("somewhere", "1"), ask("somewhere", "1")] == [1, 1]
    assert [ask("somewhere", "2"), ask("elsewhere", "1")] == [2, 3]
    clock.now += 0.99
    assert ask("somewhere", "1") == 1
    clock.now += 0.02
    assert ask("somewhere", "1") == 4


def test_the_cache_can_be_cleared_and_keeps_no_errors(http_stub: HttpStub, price_client: PriceClient) -> None:
    http_stub.replies = [Reply(body=b"<html>"), Reply(body=b"[1]"), Reply(body=b"[2]")]
    with pytest.raises(PriceUnavailable):
        client.fetch("somewhere", http_stub.url, {})
    assert client.fetch("somewhere", http_stub.url, {}).document == [1]
    client.clear_cache()
    assert client.fetch("somewhere", http_stub.url, {}).document == [2]


def test_many_threads_share_a_client(http_stub: HttpStub) -> None:
    http_stub.answer = lambda hit: Reply(body=f'["{hit.path}"]'.encode())
    asking = PriceClient(sleep=lambda _seconds: None)

    def ask(number: int) -> str:
        return str(asking.fetch("somewhere", http_stub.url, {"number": str(number % 50)}, 60).document[0])

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(ask, range(200))) == [f"/?number={number % 50}" for number in range(200)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_its_own_client(raw_stub: RawServer) -> None:
    def keep_alive(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]")
        return True

    raw_stub.reply = keep_alive
    program = f"""
import os
from coinrequest.prices.client import fetch
def ask(number): assert fetch("somewhere", {raw_stub.url!r}, {{"number": number}}, 30).document == [1]
ask("1")
child = os.fork()
ask("2")
ask("3")
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert raw_stub.connections == 2
    assert len(raw_stub.requests) == 5


def test_the_client_is_imported_without_its_libraries() -> None:
    program = (
        "import sys, coinrequest.prices.client; heavy = {'requests', 'urllib3', 'ssl', 'email', 'http', 'logging'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_requests_that_hang_do_not_pile_up(raw_stub: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "CONNECTIONS", 1)
    raw_stub.reply = lambda connection: raw_stub.drip(connection, b"HTTP/1.1 200 OK\r\nX-Slow: ")
    asking = PriceClient()
    for number in range(3):
        with pytest.raises(PriceUnavailable):
            asking.fetch("somewhere", raw_stub.url, {"number": str(number)}, 0.1)
    assert len(raw_stub.requests) == 1


def test_a_slow_body_is_abandoned_at_the_deadline(raw_stub: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "CONNECTIONS", 1)

    def drip_at_first(connection: socket.socket) -> bool:
        if len(raw_stub.requests) == 1:
            return raw_stub.drip(connection, b"HTTP/1.1 200 OK\r\n\r\n[")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]")
        return False

    raw_stub.reply = drip_at_first
    asking = PriceClient()
    with pytest.raises(PriceUnavailable):
        asking.fetch("somewhere", raw_stub.url, {"number": "1"}, 0.1)
    assert asking.fetch("somewhere", raw_stub.url, {"number": "2"}, 30).document == [1]
