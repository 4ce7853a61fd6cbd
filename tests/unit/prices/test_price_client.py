"""One request, and the responses of servers."""

import copy
import gzip
import json
import pickle
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from support.http_stub import HttpStub, Reply
from support.raw_price_server import RawServer, reset

from coinrequest.limits import MAX_BODY_BYTES
from coinrequest.prices.client import PriceClient
from coinrequest.prices.connection_errors import describe_connection_error
from coinrequest.prices.errors import BadResponse, PriceUnavailable, RateLimited, UnknownCoin
from coinrequest.prices.price import parse_amount

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def failure(asking: PriceClient, url: str, timeout: float = 5) -> PriceUnavailable:
    with pytest.raises(PriceUnavailable) as caught:
        asking.fetch("somewhere", url, {}, timeout)
    assert caught.value.source == "somewhere"
    text = str(caught.value)
    assert text.startswith("somewhere: ")
    assert not any(internal in text for internal in ("0x", "urllib3", "Pool", "Error(", "object at", url))
    return caught.value


def test_a_response_has_its_status_exact_document_and_time(http_stub: HttpStub, price_client: PriceClient) -> None:
    http_stub.replies = [Reply(404, b'{"last": 43211.0100000000000000001, "count": 7, "text": "1.0"}')]
    before = datetime.now(UTC)
    answer = price_client.fetch("somewhere", f"{http_stub.url}/ticker", {"pair": "BTC/EUR ü"})
    assert answer.status == 404
    assert answer.document == {"last": Decimal("43211.0100000000000000001"), "count": Decimal(7), "text": "1.0"}
    assert before <= answer.received_at <= datetime.now(UTC)
    (hit,) = http_stub.hits
    assert hit.path == "/ticker?pair=BTC%2FEUR+%C3%BC"
    assert hit.headers["user-agent"].startswith("coinrequest/")
    assert hit.headers["accept-encoding"] == "gzip"


def test_forty_digits_stay_exact(http_stub: HttpStub, price_client: PriceClient) -> None:
    digits = "1234567890" * 4
    http_stub.replies = [Reply(body=f"[{digits}, {digits}.{digits}, 1E-25]".encode())]
    document = price_client.fetch("somewhere", http_stub.url, {}).document
    assert document == [Decimal(digits), Decimal(f"{digits}.{digits}"), Decimal("1e-25")]
    assert [parse_amount(number) for number in document] == document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>down for maintenance</title>",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e99999999999999999999]",
        b'{"price": 1.0',
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"a":' * 200_000,
    ],
)
def test_a_response_that_is_not_json_is_a_bad_response(
    http_stub: HttpStub, price_client: PriceClient, body: bytes
) -> None:
    http_stub.replies = [Reply(body=body)]
    error = failure(price_client, http_stub.url)
    assert isinstance(error, BadResponse)
    assert ("not JSON; it starts with" if body else "not JSON; it is empty") in str(error)
    assert error.__cause__ is not None
    assert len(http_stub.hits) == 1
    assert len(str(error)) < 400


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 410, 418, 451])
def test_a_page_instead_of_json_names_the_source_and_the_status(
    http_stub: HttpStub, price_client: PriceClient, status: int
) -> None:
    page = "<!doctype html><title>Access denied: é</title>".encode()
    http_stub.replies = [Reply(status, page, headers={"Content-Type": "text/html"})]
    error = failure(price_client, http_stub.url)
    assert isinstance(error, BadResponse)
    assert str(error).startswith(f"somewhere: the response has status {status} and is not JSON; it starts with '<!doc")
    assert ("use another source" in str(error)) == (status in {401, 403, 451})
    assert error.status == status


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 520])
def test_a_page_of_a_failing_source_names_its_status(
    http_stub: HttpStub, price_client: PriceClient, status: int
) -> None:
    http_stub.replies = [Reply(status, b"<html>", headers={"Retry-After": "9"})]
    error = failure(price_client, http_stub.url, timeout=1)
    assert f"status {status}" in str(error)
    assert isinstance(error, RateLimited) == (status == 429)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-32-be"])
def test_json_with_a_byte_order_mark_is_json(http_stub: HttpStub, price_client: PriceClient, codec: str) -> None:
    http_stub.replies = [Reply(body='{"name": "é"}'.encode(codec))]
    assert price_client.fetch("somewhere", http_stub.url, {}).document == {"name": "é"}


@pytest.mark.parametrize("encoding", ["UTF-8", "aws-chunked", "none", "identity", ""])
def test_a_content_encoding_that_is_none_is_ignored(
    http_stub: HttpStub, price_client: PriceClient, encoding: str
) -> None:
    http_stub.replies = [Reply(body=b"[1]", headers={"Content-Encoding": encoding})]
    assert price_client.fetch("somewhere", http_stub.url, {}).document == [Decimal(1)]


def test_a_body_that_is_not_compressed_as_it_says_is_an_error_in_words(
    http_stub: HttpStub, price_client: PriceClient
) -> None:
    http_stub.replies = [Reply(body=b"[1]", headers={"Content-Encoding": "gzip"})]
    assert "not compressed as its Content-Encoding says" in str(failure(price_client, http_stub.url, timeout=1))


def test_a_response_that_announces_too_much_is_not_read(raw_stub: RawServer, price_client: PriceClient) -> None:
    head = HEAD + b"Content-Length: 5000000\r\n\r\n"
    raw_stub.reply = lambda connection: raw_stub.drip(connection, head)
    assert "longer than 1048576 bytes: 5000000" in str(failure(price_client, raw_stub.url))


def test_a_redirect_in_utf_8_is_shown_in_letters(raw_stub: RawServer, price_client: PriceClient) -> None:
    def redirect(connection: socket.socket) -> bool:
        connection.sendall("HTTP/1.1 301 Moved\r\nLocation: /café\r\n\r\n".encode())
        return False

    raw_stub.reply = redirect
    assert "status 301, a redirect to '/café'" in str(failure(price_client, raw_stub.url))


def test_a_compressed_response_is_decompressed(http_stub: HttpStub, price_client: PriceClient) -> None:
    body = gzip.compress(json.dumps(["x" * 200_000]).encode())
    http_stub.replies = [Reply(body=body, headers={"Content-Encoding": "gzip"})]
    assert price_client.fetch("somewhere", http_stub.url, {}).document == ["x" * 200_000]


@pytest.mark.parametrize("is_packed", [False, True])
def test_an_endless_response_is_aborted(http_stub: HttpStub, price_client: PriceClient, is_packed: bool) -> None:
    body = b" " * 20_000_000 if is_packed else b" " * (MAX_BODY_BYTES + 1)
    http_stub.replies = [Reply(body=body)]
    if is_packed:
        http_stub.replies = [Reply(body=gzip.compress(body, 1), headers={"Content-Encoding": "gzip"})]
    error = failure(price_client, http_stub.url)
    assert isinstance(error, BadResponse)
    assert "longer than 1048576 bytes" in str(error)


def test_a_redirect_is_refused_and_its_endless_body_is_not_read(raw_stub: RawServer, price_client: PriceClient) -> None:
    redirect = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n"
    raw_stub.reply = lambda connection: raw_stub.drip(connection, redirect)
    error = failure(price_client, raw_stub.url)
    assert isinstance(error, BadResponse)
    assert "redirect to 'http://169.254.169.254/'" in str(error)
    assert len(raw_stub.requests) == 1


def breaks_off_short(connection: socket.socket) -> bool:
    connection.sendall(HEAD + b'Content-Length: 100\r\n\r\n{"price"')
    return False


def breaks_off_packed(connection: socket.socket) -> bool:
    body = gzip.compress(b'{"price": 1}')
    connection.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:15])
    return False


def breaks_off_chunked(connection: socket.socket) -> bool:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1, 2")
    return False


def breaks_off_between_chunks(connection: socket.socket) -> bool:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n")
    return False


def breaks_off_with_a_reset(connection: socket.socket) -> bool:
    connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n[1")
    return reset(connection)


@pytest.mark.parametrize(
    "reply",
    [
        breaks_off_short,
        breaks_off_packed,
        breaks_off_chunked,
        breaks_off_between_chunks,
        breaks_off_with_a_reset,
    ],
)
def test_an_incomplete_response_is_retried(
    raw_stub: RawServer, price_client: PriceClient, reply: Callable[[socket.socket], bool]
) -> None:
    raw_stub.reply = reply
    error = failure(price_client, raw_stub.url)
    assert type(error) is PriceUnavailable
    assert "incomplete; tried 3 times" in str(error)
    assert len(raw_stub.requests) == 3


def says_nothing(connection: socket.socket) -> bool:
    return False


def speaks_something_else(connection: socket.socket) -> bool:
    connection.sendall(b"220 mail.example.org ESMTP\r\n")
    return False


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (reset, "Connection reset by peer"),
        (says_nothing, "it closed the connection without a response"),
        (speaks_something_else, "its response is not valid HTTP"),
    ],
)
def test_connection_errors_are_described_in_plain_words(
    raw_stub: RawServer, price_client: PriceClient, reply: Callable[[socket.socket], bool], text: str
) -> None:
    raw_stub.reply = reply
    error = failure(price_client, raw_stub.url)
    assert str(error) == f"somewhere: the request failed: {text}; tried 3 times"
    assert error.__cause__ is not None


def test_nobody_listens(http_stub: HttpStub, price_client: PriceClient) -> None:
    http_stub.server.server_close()
    assert "Connection refused" in str(failure(price_client, http_stub.url))


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD + b"\r\n[1, ", HEAD + b"Content-Length: 500000\r\n\r\n[1, "],
    ids=["no head", "slow head", "slow body", "slow body of known length"],
)
def test_a_slow_response_ends_at_the_deadline(raw_stub: RawServer, price_client: PriceClient, head: bytes) -> None:
    raw_stub.reply = lambda connection: raw_stub.drip(connection, head)
    error = failure(price_client, raw_stub.url, timeout=0.2)
    assert type(error) is PriceUnavailable
    assert "no complete response within 0.2 seconds" in str(error)


def test_a_silent_server_is_retried_before_the_deadline(
    raw_stub: RawServer, price_client: PriceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coinrequest.prices.http_exchange.READ_TIMEOUT_SECONDS", 0.3)

    def silent_at_first(connection: socket.socket) -> bool:
        if len(raw_stub.requests) == 1:
            raw_stub.over.wait(30)
        connection.sendall(HEAD + b"Content-Length: 3\r\n\r\n[1]")
        return True

    raw_stub.reply = silent_at_first
    assert price_client.fetch("somewhere", raw_stub.url, {}, 20).document == [1]


def test_an_invalid_url_is_an_error_that_does_not_show_it(price_client: PriceClient) -> None:
    for url in ("", "ftp://example.org", "http://[", "http://user:secret@host:99999", f"http://{'a' * 70}.org"):
        with pytest.raises(PriceUnavailable, match=r"^somewhere: its address is not a valid URL$") as caught:
            price_client.fetch("somewhere", url, {})
        assert caught.value.__cause__ is not None


def test_a_failed_tls_handshake_is_not_retried(raw_stub: RawServer, price_client: PriceClient) -> None:
    raw_stub.greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    error = failure(price_client, raw_stub.url.replace("http:", "https:"))
    assert str(error) == "somewhere: the request failed: the TLS handshake failed"
    assert raw_stub.connections == 1


def test_a_refused_certificate_has_the_message_of_tls() -> None:
    refused = ssl.SSLCertVerificationError(1, "certificate verify failed")
    refused.verify_message = "certificate has expired"
    wrapped = OSError("HTTPSConnectionPool(host='x', port=443): Max retries exceeded")
    wrapped.__cause__ = refused
    assert describe_connection_error(wrapped) == "its certificate cannot be verified: certificate has expired"
    assert describe_connection_error(OSError("<object at 0x7f>")) == "the connection failed"


def test_the_environment_is_ignored(
    http_stub: HttpStub, price_client: PriceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    monkeypatch.setattr("requests.sessions.get_netrc_auth", lambda *_arguments: ("user", "secret"))
    http_stub.replies = [Reply(body=b"[]", headers={"Set-Cookie": "visitor=1"})]
    for number in ("1", "2"):
        price_client.fetch("somewhere", http_stub.url, {"number": number})
    assert len(http_stub.hits) == 2
    assert not [hit for hit in http_stub.hits if {"authorization", "cookie"} & set(hit.headers)]


def test_connections_are_reused(raw_stub: RawServer, price_client: PriceClient) -> None:
    def keep_alive(connection: socket.socket) -> bool:
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
        return True

    raw_stub.reply = keep_alive
    for number in range(5):
        price_client.fetch("somewhere", raw_stub.url, {"number": str(number)})
    assert len(raw_stub.requests) == 5
    assert raw_stub.connections == 1


@pytest.mark.parametrize(
    "error", [PriceUnavailable("a", "b"), UnknownCoin("a", "b"), RateLimited("a", "b", 7.5), BadResponse("a", "b")]
)
def test_errors_survive_copying_and_pickling(error: PriceUnavailable) -> None:
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - made here
        assert type(twin) is type(error)
        assert (str(twin), twin.source, twin.message) == ("a: b", "a", "b")
        assert vars(twin) == vars(error)
