"""Many URL tests at once."""

import contextlib
import itertools
import json
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pycurl
import pytest
from support.http_stub import HttpStub, Reply
from support.raw_server import LOOPBACK, Conversation, make_certificate, raw_server

from coinrequest.http import redirects
from coinrequest.http.exchange import Exchange
from coinrequest.http.redirects import Step
from coinrequest.urltest import AddressGuard, Expectations, UrlTest, batch, report

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Gate:
    """Answers nobody before the gate is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def __call__(self, conversation: Conversation) -> None:
        self.opened.wait(20)
        conversation.say(b"HTTP/1.1 200 OK\r\n\r\nuntil the connection ends")


def in_background(tests: Iterator[UrlTest]) -> tuple[threading.Thread, list[UrlTest]]:
    seen: list[UrlTest] = []
    thread = threading.Thread(target=lambda: seen.extend(tests))
    thread.start()
    return thread, seen


def test_every_url_has_a_result_with_its_url(http_stub: HttpStub, tmp_path: Path) -> None:
    http_stub.answer = lambda hit: Reply({"/ok": 200, "/bad": 503}.get(hit.path, 302), headers={"Location": "/ok"})
    with raw_server(OK, make_certificate(tmp_path / "a.pem", "127.0.0.1")) as secure, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        expected = {
            f"{http_stub.url}/ok": ("200", 1),
            f"{http_stub.url}/bad": ("503", 2),
            f"{http_stub.url}/moved": ("200", 1),
            secure.url: ("certificate", 1),
            f"http://127.0.0.1:{taken.getsockname()[1]}/": ("connect", 1),
            "http://no-such-host.invalid/": ("resolve", 1),
            "http://10.0.0.1/": ("private", 1),
            "ftp://example.test/": ("only http", 1),
            "http://": ("no host", 1),
        }
        seen = list(batch.test_urls([*expected] * 3, concurrency=4, attempts=2, guard=LOOPBACK))
    assert sorted(test.url for test in seen) == sorted([*expected] * 3)
    for test in seen:
        result, attempts = expected[test.url]
        assert result in test.result
        assert test.attempts == attempts
    assert {test.url for test in seen if test.passed} == {f"{http_stub.url}/ok", f"{http_stub.url}/moved"}
    certificates = [test.certificate for test in seen if test.url == secure.url]
    assert len(certificates) == 3
    assert all(certificate is not None and not certificate.verified for certificate in certificates)


@pytest.mark.parametrize("concurrency", [1, 7])
def test_the_concurrency_is_limited(concurrency: int) -> None:
    gate = Gate()
    with raw_server(gate) as server:
        thread, seen = in_background(batch.test_urls([server.url] * 40, concurrency=concurrency, guard=LOOPBACK))
        server.wait_until_open(concurrency)
        gate.opened.set()
        thread.join(20)
        assert [test.result for test in seen] == ["200"] * 40
        assert server.most_open == concurrency


def test_urls_are_consumed_lazily(http_stub: HttpStub) -> None:
    taken = 0

    def urls() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield http_stub.url

    tests = batch.test_urls(urls(), concurrency=3, guard=LOOPBACK)
    assert taken == 0
    for _ in range(20):
        assert next(tests).result == "200"
    assert taken <= 20 + 3
    tests.close()


def test_slow_tests_do_not_delay_fast_ones(http_stub: HttpStub) -> None:
    gate = Gate()
    with raw_server(gate) as slow:
        tests = batch.test_urls([slow.url, *[http_stub.url] * 5], concurrency=2, guard=LOOPBACK)
        assert [next(tests).url for _ in range(5)] == [http_stub.url] * 5
        gate.opened.set()
        assert next(tests).url == slow.url
        assert next(tests, None) is None


def test_each_test_has_its_own_timeout(http_stub: HttpStub) -> None:
    with raw_server(Conversation.wait_for_the_end) as hanging:
        urls = [hanging.url, http_stub.url] * 3
        seen = list(batch.test_urls(urls, concurrency=6, timeout=0.3, guard=LOOPBACK))
        hanging.wait_until_open(0)
    assert [test.result for test in seen[:3]] == ["200"] * 3
    assert all(test.result.startswith("timed out") for test in seen[3:])


def test_closing_the_generator_cancels_running_tests(http_stub: HttpStub) -> None:
    with raw_server(Conversation.wait_for_the_end) as hanging:
        tests = batch.test_urls([http_stub.url] + [hanging.url] * 9, concurrency=5, guard=LOOPBACK, timeout=60)
        assert next(tests).result == "200"
        tests.close()
        hanging.wait_until_open(0)
        assert next(tests, None) is None
        assert len(hanging.requests) <= 5


def test_a_generator_that_is_never_started_does_nothing(http_stub: HttpStub) -> None:
    batch.test_urls([http_stub.url], guard=LOOPBACK).close()
    assert http_stub.hits == []


def test_an_error_of_the_iterable_is_raised(http_stub: HttpStub) -> None:
    def urls() -> Iterator[str]:
        yield http_stub.url
        raise OSError("the file ended")

    with pytest.raises(OSError, match="the file ended"):
        list(batch.test_urls(urls(), concurrency=1, guard=LOOPBACK))


ODD = [
    b"",
    b"hello",
    b"\x16\x03\x01",
    b"HTTP/1.1 000 Odd\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: \xff\xfe; charset=\xff\r\nContent-Length: 2\r\n\r\n\xff\x00",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: UTF-8\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\nContent-Length: 0\r\n\r\n",
    b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"\\ud83d": 1}',
    b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"a": "\\u0000"}  ',
    b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
    b"HTTP/1.1 200 OK\r\n\r\n" + b"9" * 10_000,
    *(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=%s\r\nContent-Length: 2\r\n\r\n\xfc\xd8" % name
        for name in (b"undefined", b"idna", b"punycode", b"base64", b"rot13", b"utf-7", b"mbcs", b"utf-16", b'"\x01"')
    ),
]


def test_one_odd_response_costs_no_other_result(http_stub: HttpStub) -> None:
    expect = Expectations(body_contains="x", body_matches="x", json_path={"$": ...}, headers={"content-type": "x"})
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(raw_server(answer)).url for answer in ODD]
        mixed = [url for odd in urls for url in (odd, http_stub.url)]
        seen = list(batch.test_urls(mixed, concurrency=5, attempts=1, timeout=5, guard=LOOPBACK, expect=expect))
    assert sorted(test.url for test in seen) == sorted(mixed)
    assert {test.result for test in seen if test.url == http_stub.url} == {"200"}
    for test in seen:
        assert test.error or test.failed_expectations
        assert "report this" not in (test.error or "")
        json.dumps(report.document(test), ensure_ascii=False).encode()


def break_options(self: Exchange, step: Step, guard: object) -> NoReturn:
    raise pycurl.error(43, "a libcurl function was given a bad argument")


def break_anything(*_: object) -> NoReturn:
    raise RuntimeError("boom")


@pytest.mark.parametrize(
    ("place", "name", "broken", "message"),
    [
        (Exchange, "__init__", break_options, "the request failed: error(43, 'a libcurl function"),
        (Exchange, "response", break_anything, "the request failed: RuntimeError('boom')"),
        (Exchange, "_new_body", break_anything, "the body cannot be read: RuntimeError('boom')"),
        (AddressGuard, "refusal", break_anything, "the socket could not be opened: boom"),
        (Expectations, "failures", break_anything, "the response could not be checked: RuntimeError('boom')"),
        (Expectations, "accepts_status", break_anything, "the response could not be checked: RuntimeError('boom')"),
        (redirects, "parse_target", break_anything, "the test failed: RuntimeError('boom')"),
    ],
)
def test_no_error_of_one_test_ends_the_others(
    http_stub: HttpStub,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    name: str,
    broken: Callable[..., Any],
    message: str,
) -> None:
    real, calls = getattr(place, name), itertools.count()

    def sometimes(*arguments: Any) -> Any:
        return (broken if next(calls) == 1 else real)(*arguments)

    http_stub.replies = [Reply(body=b"ok")]
    monkeypatch.setattr(place, name, sometimes)
    seen = list(batch.test_urls([http_stub.url] * 4, concurrency=1, attempts=1, guard=LOOPBACK))
    assert [test.passed for test in seen].count(True) == 3
    (failed,) = [test for test in seen if not test.passed]
    assert (failed.error or failed.failed_expectations[0]).startswith(message)


def test_without_urls_there_are_no_tests() -> None:
    assert list(batch.test_urls([])) == []


def test_options_apply_to_all_urls(http_stub: HttpStub) -> None:
    tests = batch.test_urls(
        [http_stub.url] * 2, guard=LOOPBACK, method="POST", body=b"x", expect=Expectations(body_contains="bye")
    )
    assert [test.failed_expectations for test in tests] == [("body_contains: 'bye' is not in the body (5 bytes)",)] * 2
    assert [(hit.method, hit.body) for hit in http_stub.hits] == [("POST", b"x")] * 2


def test_invalid_options_fail_immediately() -> None:
    with pytest.raises(ValueError, match="concurrency must be at least 1"):
        batch.test_urls(["x"], concurrency=0)
    with pytest.raises(ValueError, match="attempts must be at least 1"):
        batch.test_urls(["x"], attempts=0)


def test_it_works_in_a_process_with_many_open_files(http_stub: HttpStub) -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < 1_200:
        pytest.skip("this process may not open so many files")
    sockets = [socket.socket() for _ in range(1_040)]
    try:
        seen = list(batch.test_urls([http_stub.url] * 3, guard=LOOPBACK))
    finally:
        for one in sockets:
            one.close()
    assert [test.result for test in seen] == ["200"] * 3


def test_no_socket_is_left_open() -> None:
    def talk(conversation: Conversation) -> None:
        conversation.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        conversation.wait_for_the_end()

    with raw_server(talk) as server:
        for _ in range(3):
            tests = batch.test_urls([server.url] * 20, concurrency=10, guard=LOOPBACK)
            next(tests)
            tests.close()
        server.wait_until_open(0)
