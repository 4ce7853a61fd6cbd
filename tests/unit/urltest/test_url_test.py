import socket
import threading
import time
from types import SimpleNamespace

import pytest
from support.http_stub import HttpStub, Reply
from support.raw_server import LOOPBACK

from coinrequest.http.guard import AddressGuard
from coinrequest.urltest import Expectations, url_test


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every socket that the transport opens."""
    opened: list[object] = []
    real = socket.socket

    def record(*arguments: int) -> socket.socket:
        opened.append(arguments)
        return real(*arguments)

    monkeypatch.setattr("coinrequest.http.exchange.socket", SimpleNamespace(socket=record))
    return opened


@pytest.mark.parametrize(
    ("statuses", "hits", "result"),
    [
        ([200], 1, "200"),
        ([204], 1, "204"),
        ([500, 500, 500], 3, "500"),
        ([500, 200], 2, "200"),
        ([404, 503, 302], 3, "302"),
        ([404, 404, 404, 200], 3, "404"),
    ],
)
def test_a_url_is_requested_up_to_three_times_until_the_status_is_below_400(
    http_stub: HttpStub, statuses: list[int], hits: int, result: str
) -> None:
    http_stub.replies = [Reply(status=status) for status in statuses]
    seen = url_test.test_url(http_stub.url, guard=LOOPBACK)
    assert [hit.method for hit in http_stub.hits] == ["GET"] * hits
    assert (seen.result, seen.status, seen.attempts) == (result, int(result), hits)


def test_attempts_can_be_chosen(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(status=500)]
    assert url_test.test_url(http_stub.url, attempts=1, guard=LOOPBACK).attempts == 1
    assert len(http_stub.hits) == 1
    with pytest.raises(ValueError, match="at least 1"):
        url_test.test_url(http_stub.url, attempts=0)


def test_the_settings_allow_networks(http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "loopback" in url_test.test_url(http_stub.url).result
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "127.0.0.1")
    assert url_test.test_url(http_stub.url).result == "200"
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "localhost")
    assert "loopback" in url_test.test_url(http_stub.url).result
    assert url_test.test_url(f"localhost:{http_stub.port}").result == "200"
    assert len(http_stub.hits) == 2


@pytest.mark.parametrize(("expected", "hits"), [("404", 1), ("200", 3), ("2xx,404", 1)])
def test_a_url_is_requested_until_the_status_is_expected(http_stub: HttpStub, expected: str, hits: int) -> None:
    http_stub.replies = [Reply(404), Reply(301), Reply(404)]
    seen = url_test.test_url(http_stub.url, guard=LOOPBACK, expect=Expectations(status=expected))
    assert len(http_stub.hits) == seen.attempts == hits
    assert seen.passed is (hits == 1)


def test_connection_errors_are_retried_only_with_retry_errors(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(announced_length=100), Reply(announced_length=100), Reply(200)]
    assert url_test.test_url(http_stub.url, guard=LOOPBACK).attempts == 1
    seen = url_test.test_url(http_stub.url, guard=LOOPBACK, retry_errors=True)
    assert (seen.result, seen.attempts, seen.error) == ("200", 2, None)
    http_stub.replies = [Reply(announced_length=100)]
    seen = url_test.test_url(http_stub.url, guard=LOOPBACK, retry_errors=True, attempts=2)
    assert (seen.status, seen.attempts) == (None, 2)
    assert seen.error == seen.result


def test_refused_urls_are_never_retried(sockets: list[object]) -> None:
    assert url_test.test_url("http://10.0.0.1/", guard=LOOPBACK, retry_errors=True).attempts == 1
    assert url_test.test_url("ftp://x/", guard=LOOPBACK, retry_errors=True).attempts == 1
    assert sockets == []


def test_a_url_without_a_scheme_and_an_odd_one_arrive_and_come_back(http_stub: HttpStub) -> None:
    seen = url_test.test_url(f"127.0.0.1:{http_stub.port}/ü'\"?q=a b", guard=LOOPBACK)
    assert seen.url == f"http://127.0.0.1:{http_stub.port}/ü'\"?q=a b"
    assert seen.result == "200"
    assert http_stub.hits[0].path == "/%C3%BC'%22?q=a%20b"


def test_phases_add_up(http_stub: HttpStub) -> None:
    phases = url_test.test_url(http_stub.url, guard=LOOPBACK).phases
    assert phases is not None
    parts = (phases.resolve, phases.connect, phases.tls, phases.first_byte, phases.transfer)
    assert all(part >= 0 for part in parts)
    assert phases.connect > 0
    assert phases.first_byte > 0
    assert phases.tls == 0
    assert sum(parts) == pytest.approx(phases.total, abs=1e-6)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_refused_connection_is_a_result_and_is_not_retried() -> None:
    seen = url_test.test_url(f"http://127.0.0.1:{free_port()}/", guard=LOOPBACK)
    assert "connect" in seen.result
    assert (seen.status, seen.attempts, seen.phases) == (None, 1, None)


def test_an_unknown_host_is_a_result() -> None:
    seen = url_test.test_url("http://no-such-host.invalid/", guard=LOOPBACK)
    assert "resolve" in seen.result
    assert seen.attempts == 1


@pytest.mark.parametrize("in_body", [False, True])
def test_a_server_that_hangs_times_out(http_stub: HttpStub, in_body: bool) -> None:
    release = threading.Event()
    http_stub.replies = [Reply(wait=release, wait_in_body=in_body, announced_length=100)]
    started = time.monotonic()
    seen = url_test.test_url(http_stub.url, timeout=0.3, guard=LOOPBACK)
    took = time.monotonic() - started
    release.set()
    assert "timed out" in seen.result
    assert 0.25 <= took < 2
    assert len(http_stub.hits) == 1


def test_redirects_are_followed_and_reported(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(302, headers={"Location": "/two"}), Reply(301, headers={"Location": "three?x=1"})]
    http_stub.replies.append(Reply(200))
    seen = url_test.test_url(http_stub.url, guard=LOOPBACK)
    assert [hit.path for hit in http_stub.hits] == ["/", "/two", "/three?x=1"]
    assert [(hop.status, hop.location) for hop in seen.redirects] == [(302, "/two"), (301, "three?x=1")]
    assert (seen.result, seen.attempts) == ("200", 1)


def test_endless_redirects_are_an_error(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(302, headers={"Location": "/again"})]
    seen = url_test.test_url(http_stub.url, redirect_limit=3, guard=LOOPBACK)
    assert seen.result == "more than 3 redirects"
    assert len(http_stub.hits) == 4


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/_x",
        "ftp://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "//169.254.169.254/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "http://10.0.0.1/",
        "http://127.0.0.2\\@example.test/",
    ],
)
def test_a_redirect_to_a_forbidden_address_is_refused(
    http_stub: HttpStub, sockets: list[object], location: str
) -> None:
    http_stub.replies = [Reply(302, headers={"Location": location})]
    seen = url_test.test_url(http_stub.url, guard=AddressGuard(["127.0.0.1"]))
    assert "refused" in seen.result
    assert seen.status is None
    assert len(http_stub.hits) == 1
    assert len(sockets) == 1, "only the first request opened a socket"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "0",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
        "127\u30020\u30020\u30021",
        "example.test@127.0.0.1",
        "user:pass@127.0.0.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "10.0.0.1",
        "100.64.0.1",
        "192.168.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[fe80::1%25lo]",
        "[fd00:ec2::254]",
    ],
)
def test_no_form_of_a_private_address_opens_a_socket(http_stub: HttpStub, sockets: list[object], host: str) -> None:
    seen = url_test.test_url(f"http://{host}:{http_stub.port}/", guard=AddressGuard(), timeout=5)
    assert seen.status is None
    assert seen.result
    assert sockets == []
    assert http_stub.hits == []


def test_a_socket_that_cannot_be_opened_is_an_error_and_not_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: int) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr("coinrequest.http.exchange.socket", SimpleNamespace(socket=fail))
    seen = url_test.test_url("http://127.0.0.1/", guard=LOOPBACK, attempts=2, retry_errors=True)
    assert (seen.result, seen.attempts) == ("the socket could not be opened: too many open files", 2)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "file:/etc/passwd", "gopher://127.0.0.1/", "ftp://x/", ""])
def test_other_schemes_are_refused(sockets: list[object], url: str) -> None:
    assert "only http and https" in url_test.test_url(url, guard=LOOPBACK).result
    assert sockets == []


def test_proxies_of_the_environment_are_ignored(http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}")
    assert url_test.test_url(http_stub.url, guard=LOOPBACK).result == "200"
    assert url_test.test_url("http://10.0.0.1/", guard=LOOPBACK).result.startswith("10.0.0.1 is refused")
