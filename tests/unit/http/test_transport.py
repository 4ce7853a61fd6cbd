"""What goes over the wire, and what is made of what comes back."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from support.http_stub import Hit, HttpStub, Reply
from support.raw_server import LOOPBACK, Conversation, raw_server

from coinrequest.http.exchange import Exchange
from coinrequest.http.messages import Request, Response
from coinrequest.http.transfers import Transfers
from coinrequest.http.transport import send
from coinrequest.limits import MAX_BODY_BYTES
from coinrequest.urltest import AddressGuard, RequestFailed, url_test


def answered(answer: bytes, **request: Any) -> Response:
    """What is made of an answer, after which the server closes the connection."""
    with raw_server(answer) as server:
        return send(Request(url=server.url, timeout=5, **request), LOOPBACK)


@pytest.mark.parametrize(
    ("answer", "version", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "1.1", b"hello"),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", "1.0", b"to the end"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 5\r\n\r\n",
            "1.1",
            b"hello",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "1.1", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "1.1", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "1.1", b"ok"),
    ],
)
def test_responses_of_all_forms_are_parsed(answer: bytes, version: str, body: bytes) -> None:
    response = answered(answer)
    assert (response.http_version, response.body, response.truncated) == (version, body, False)


def test_headers_of_interim_responses_are_dropped() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLocation: /no\r\n\r\n"
    response = answered(early * 3 + b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n")
    assert (response.status, response.headers) == (200, {"x-a": "1, 2", "content-length": "0"})


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 120_000 + b"\r\n\r\n",
    ],
)
def test_a_malformed_response_is_an_error(answer: bytes) -> None:
    with pytest.raises(RequestFailed) as caught:
        answered(answer)
    assert str(caught.value)
    assert caught.value.remote_address.startswith("127.0.0.1:")


def test_head_has_a_length_and_no_body(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(body=b"x" * 100)]
    response = send(Request(url=http_stub.url, method="HEAD"), LOOPBACK)
    assert (response.status, response.headers["content-length"], response.body) == (200, "100", b"")
    assert [hit.method for hit in http_stub.hits] == ["HEAD"]


@pytest.mark.parametrize(("length", "truncated"), [(10, False), (11, True), (100_000, True)])
def test_a_body_is_read_up_to_its_limit(http_stub: HttpStub, length: int, truncated: bool) -> None:
    http_stub.replies = [Reply(body=b"x" * length)]
    response = send(Request(url=http_stub.url, body_limit=10), LOOPBACK)
    assert (response.status, len(response.body), response.truncated) == (200, 10, truncated)


def test_a_long_body_is_not_read_to_its_end(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(body=b"x" * (MAX_BODY_BYTES + 100_000))]
    seen = url_test.test_url(http_stub.url, guard=LOOPBACK)
    assert (seen.result, seen.size, seen.truncated) == ("200", MAX_BODY_BYTES, True)


def test_an_endless_body_is_aborted() -> None:
    def talk(conversation: Conversation) -> None:
        conversation.say(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:  # until the client has gone, which raises
            conversation.say(b"x" * 65_536)

    with raw_server(talk) as server:
        seen = url_test.test_url(server.url, guard=LOOPBACK, body_limit=100_000)
    assert (seen.size, seen.truncated) == (100_000, True)


def test_a_decompression_bomb_is_limited(http_stub: HttpStub) -> None:
    import gzip

    http_stub.replies = [Reply(body=gzip.compress(b"\0" * 20_000_000), headers={"Content-Encoding": "gzip"})]
    seen = url_test.test_url(http_stub.url, guard=LOOPBACK)
    assert (seen.size, seen.truncated) == (MAX_BODY_BYTES, True)


def test_connections_are_not_reused() -> None:
    def talk(conversation: Conversation) -> None:
        conversation.say(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
        conversation.wait_for_the_end()

    with raw_server(talk) as server:
        seen = url_test.test_url(server.url, guard=LOOPBACK, redirect_limit=2)
        server.wait_until_open(0)
    assert seen.result == "more than 2 redirects"
    assert len(server.requests) == 3
    assert all(hop.phases.connect > 0 for hop in seen.redirects)


def test_phases_show_what_was_slow() -> None:
    def talk(conversation: Conversation) -> None:
        time.sleep(0.1)
        conversation.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        time.sleep(0.2)
        conversation.say(b"ok")

    with raw_server(talk) as server:
        phases = url_test.test_url(server.url, guard=LOOPBACK).phases
    assert phases is not None
    assert phases.first_byte >= 0.1
    assert phases.transfer >= 0.19
    parts = (phases.resolve, phases.connect, phases.tls, phases.first_byte, phases.transfer)
    assert sum(parts) == pytest.approx(phases.total, abs=1e-6)


def test_each_redirect_has_its_own_phases(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(302, headers={"Location": "/two"}), Reply(302, headers={"Location": "/three"}), Reply()]
    seen = url_test.test_url(http_stub.url, guard=LOOPBACK)
    assert seen.phases is not None
    assert [hop.url for hop in seen.redirects] == [f"{http_stub.url}/", f"{http_stub.url}/two"]
    assert sum(hop.phases.total for hop in seen.redirects) < seen.phases.total
    assert {hop.remote_address for hop in seen.redirects} == {f"127.0.0.1:{http_stub.port}"}
    assert seen.final_url == f"{http_stub.url}/three"


def test_an_error_keeps_the_redirects_before_it(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(302, headers={"Location": "http://10.0.0.1/secret"})]
    seen = url_test.test_url(http_stub.url, guard=LOOPBACK)
    assert [hop.location for hop in seen.redirects] == ["http://10.0.0.1/secret"]
    assert (seen.final_url, seen.remote_address) == ("http://10.0.0.1/secret", "")


def test_the_timeout_includes_redirects(http_stub: HttpStub) -> None:
    def answer(hit: Hit) -> Reply:
        time.sleep(0.1)
        return Reply(302, headers={"Location": "/on"})

    http_stub.answer = answer
    seen = url_test.test_url(http_stub.url, guard=LOOPBACK, timeout=0.25, redirect_limit=20)
    assert seen.result.startswith("timed out")
    assert len(seen.redirects) in (1, 2)


class Changing(Mapping[str, Sequence[str]]):
    """A name whose address is another one each time somebody asks."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)

    def __getitem__(self, name: str) -> Sequence[str]:
        return self._answers.pop(0)

    def __iter__(self) -> Iterator[str]:
        return iter(("name.example.test",))

    def __len__(self) -> int:
        return 1


def test_a_host_can_be_resolved_to_a_given_address(http_stub: HttpStub) -> None:
    url = f"http://Name.Example.Test.:{http_stub.port}/"
    seen = url_test.test_url(url, guard=LOOPBACK, resolve={"name.example.test": ["127.0.0.1"]})
    assert (seen.result, seen.remote_address) == ("200", f"127.0.0.1:{http_stub.port}")
    assert http_stub.hits[0].headers["host"].lower().startswith("name.example.test")
    seen = url_test.test_url(url, guard=AddressGuard(), resolve={"name.example.test": ["127.0.0.1"]})
    assert seen.result == "127.0.0.1 is refused: loopback address"
    assert "resolve" in url_test.test_url(url, guard=LOOPBACK, resolve={"name.example.test": []}).result


def test_the_given_addresses_are_read_for_each_attempt_and_redirect(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(500), Reply(302, headers={"Location": "/x"})]
    resolve = Changing(["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"])
    seen = url_test.test_url(f"http://name.example.test:{http_stub.port}/", guard=LOOPBACK, resolve=resolve)
    assert seen.result == "10.0.0.1 is refused: private address"
    assert (seen.attempts, len(http_stub.hits), len(seen.redirects)) == (2, 2, 1)


def test_the_next_address_is_tried_if_one_fails(http_stub: HttpStub) -> None:
    resolve = {"name.example.test": ["10.0.0.1", "127.0.0.9", "127.0.0.1"]}
    seen = url_test.test_url(f"http://name.example.test:{http_stub.port}/", guard=LOOPBACK, resolve=resolve)
    assert (seen.result, seen.remote_address) == ("200", f"127.0.0.1:{http_stub.port}")


@pytest.mark.parametrize(("version", "family"), [(4, "127.0.0.1"), (6, "[::1]")])
def test_the_ip_version_can_be_chosen(version: Any, family: str) -> None:
    resolve = {"name.example.test": ["127.0.0.1", "::1"]}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seen = url_test.test_url(f"http://name.example.test:{port}/", guard=LOOPBACK, resolve=resolve, ip_version=version)
    assert seen.status is None
    assert seen.remote_address in ("", f"{family}:{port}")
    assert "::1 is refused" not in seen.result


def test_only_addresses_of_the_chosen_ip_version_are_checked(http_stub: HttpStub) -> None:
    only_four = AddressGuard(["127.0.0.0/8"])
    resolve = {"name.example.test": ["::1", "127.0.0.1"]}
    url = f"http://name.example.test:{http_stub.port}/"
    assert url_test.test_url(url, guard=only_four, resolve=resolve, ip_version=4).result == "200"
    seen = url_test.test_url(url, guard=only_four, resolve=resolve, ip_version=6)
    # A machine without IPv6 does not come so far.
    assert seen.result == "::1 is refused: loopback address" or "resolve" in seen.result


def test_a_redirect_to_another_origin_carries_no_secret(http_stub: HttpStub) -> None:
    def answer(hit: Hit) -> Reply:
        elsewhere = {"Location": f"http://localhost:{http_stub.port}/end", "Set-Cookie": "session=1"}
        return Reply() if hit.path == "/end" else Reply(307, headers=elsewhere)

    http_stub.answer = answer
    request = Request(
        url=f"http://user:pass@127.0.0.1:{http_stub.port}/start",
        method="POST",
        headers={"X-Api-Key": "s3cret", "Cookie": "a=b", "Accept": "text/plain"},
        body=b"text",
    )
    assert send(request, LOOPBACK).status == 200
    first, second = http_stub.hits
    assert "authorization" in first.headers
    assert (first.headers["x-api-key"], first.headers["cookie"]) == ("s3cret", "a=b")
    assert not {"authorization", "x-api-key", "cookie"} & set(second.headers)
    assert (second.method, second.body, second.headers["accept"]) == ("POST", b"text", "text/plain")


def test_a_redirect_within_the_origin_keeps_everything_except_set_cookies(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(302, headers={"Location": "/end", "Set-Cookie": "session=1"}), Reply()]
    request = Request(url=f"http://user:pass@127.0.0.1:{http_stub.port}/", headers={"X-Api-Key": "s3cret"})
    assert send(request, LOOPBACK).url == f"{http_stub.url}/end"
    first, second = http_stub.hits
    assert second.headers["authorization"] == first.headers["authorization"]
    assert second.headers["x-api-key"] == "s3cret"
    assert "cookie" not in second.headers


@pytest.mark.parametrize(("status", "method", "body"), [(302, "GET", b""), (303, "GET", b""), (308, "POST", b"text")])
def test_a_redirected_post_follows_the_rules(http_stub: HttpStub, status: int, method: str, body: bytes) -> None:
    http_stub.replies = [Reply(status, headers={"Location": "/end"}), Reply()]
    send(Request(url=http_stub.url, method="POST", body=b"text"), LOOPBACK)
    assert (http_stub.hits[1].method, http_stub.hits[1].body) == (method, body)


class Stopped(BaseException):
    """What a signal's handler raises."""


@pytest.fixture
def stop() -> Iterator[Callable[[], None]]:
    """Send this process a signal, whose handler raises `Stopped`."""

    def handle(*_: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGUSR1, handle)
    yield lambda: os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def test_signals_are_handled_while_a_server_hangs(stop: Callable[[], None]) -> None:
    def talk(conversation: Conversation) -> None:
        stop()
        conversation.wait_for_the_end()

    with raw_server(talk) as server:
        with pytest.raises(Stopped):
            url_test.test_url(server.url, guard=LOOPBACK, timeout=60)
        server.wait_until_open(0)


@pytest.mark.parametrize(
    ("kind", "place"),
    [(Exchange, "_open_socket"), (Exchange, "_close_originals"), (Exchange, "_receive"), (Transfers, "_watch")],
)
def test_signals_during_a_callback_of_libcurl_are_handled(
    http_stub: HttpStub,
    stop: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kind: type,
    place: str,
) -> None:
    real = getattr(kind, place)
    calls = 0

    def interrupted(self: object, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            stop()
        return real(self, *arguments)

    monkeypatch.setattr(kind, place, interrupted)
    hook = sys.excepthook
    with pytest.raises(Stopped):
        url_test.test_url(http_stub.url, guard=LOOPBACK)
    assert sys.excepthook is hook
    assert capfd.readouterr().err == ""
    assert url_test.test_url(http_stub.url, guard=LOOPBACK).result == "200"


def test_no_socket_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []

    def record(*arguments: int) -> socket.socket:
        opened.append(socket.socket(*arguments))
        return opened[-1]

    monkeypatch.setattr("coinrequest.http.exchange.socket", SimpleNamespace(socket=record))

    def talk(conversation: Conversation) -> None:
        answers = [b"302 Found\r\nLocation: /x", b"500 Error", b"200 OK\r\nContent-Encoding: gzip"]
        conversation.say(b"HTTP/1.1 " + answers[len(server.requests) - 1] + b"\r\nContent-Length: 2\r\n\r\nok")
        conversation.wait_for_the_end()

    with raw_server(talk) as server:
        assert url_test.test_url(server.url, guard=LOOPBACK).status is None, "ok is not gzip"
        server.wait_until_open(0)
    assert len(opened) == 3
    assert all(one.fileno() == -1 for one in opened)
