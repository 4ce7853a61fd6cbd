"""Responses that no careful server sends, and that servers send all the same."""

import gzip
import json
from typing import Any

import pytest
from support.raw_server import LOOPBACK, Conversation, raw_server

from coinrequest.http.messages import Request, Response
from coinrequest.http.transport import send
from coinrequest.urltest import RequestFailed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answered(answer: bytes, **request: Any) -> Response:
    with raw_server(answer) as server:
        return send(Request(url=server.url, timeout=5, **request), LOOPBACK)


def with_body(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body])


def redirected(location: bytes, **options: Any) -> tuple[Response, list[bytes]]:
    """Return what comes of a redirect, and the targets that were requested."""

    def talk(conversation: Conversation) -> None:
        first = conversation.request.startswith(b"GET /start ")
        moved = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
        conversation.say(moved if first else OK)

    with raw_server(talk) as server:
        response = send(Request(url=f"{server.url}/start", timeout=5, **options), LOOPBACK)
        return response, [request.split(b" ")[1] for request in server.requests[1:]]


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/ok?q=café".encode(), b"/ok?q=caf%C3%A9"),
        ("/日本/à".encode(), b"/%E6%97%A5%E6%9C%AC/%C3%A0"),
        ("?q=à".encode(), b"/start?q=%C3%A0"),
        ("/nbsp\u00a0".encode(), b"/nbsp%C2%A0"),
        (b"/ok?q=caf\xe9", b"/ok?q=caf%E9"),
        (b"/caf\xe9/%e9", b"/caf%E9/%e9"),
        (b"/a b?c d", b"/a%20b?c%20d"),
        (b"/x#fragment", b"/x"),
        ("/x#é".encode(), b"/x"),
        (b"../up", b"/up"),
        (b"up/./../there", b"/there"),
        (b"/a\\b", b"/a%5Cb"),
        (b"\\\\other.test\\x", b"/%5C%5Cother.test%5Cx"),
        (b"/%7euser/%c3%a9%zz", b"/%7euser/%c3%a9%zz"),
        (b'/"<>|{}^`', b"/%22%3C%3E%7C%7B%7D%5E%60"),
        (b"  /spaces  ", b"/spaces"),
    ],
)
def test_a_location_is_requested_as_it_is_meant(location: bytes, target: bytes) -> None:
    response, targets = redirected(location)
    assert (response.status, targets) == (200, [target])


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/ok?q=café".encode(), "/ok?q=café"),
        (b"/ok?q=caf\xe9", "/ok?q=café"),
        ("/à\u00a0".encode(), "/à\u00a0"),
    ],
)
def test_the_location_is_shown_in_letters(location: bytes, shown: str) -> None:
    response, _ = redirected(location)
    assert [hop.location for hop in response.redirects] == [shown]


@pytest.mark.parametrize("host", ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "b%C3%BCcher.example"])
def test_a_location_may_have_a_host_in_unicode(host: str) -> None:
    def talk(conversation: Conversation) -> None:
        if b"/start" in conversation.request:
            conversation.say(f"HTTP/1.1 301 Moved\r\nLocation: http://{host}:{server.port}/é\r\n\r\n".encode())
        else:
            conversation.say(OK)

    request = {"resolve": {"xn--bcher-kva.example": ["127.0.0.1"]}, "timeout": 5}
    with raw_server(talk) as server:
        if "%" in host:
            with pytest.raises(RequestFailed, match="is not a valid host name"):
                send(Request(url=f"{server.url}/start", **request), LOOPBACK)  # type: ignore[arg-type]
            return
        response = send(Request(url=f"{server.url}/start", **request), LOOPBACK)  # type: ignore[arg-type]
    assert response.url == f"http://xn--bcher-kva.example:{server.port}/%C3%A9"
    assert b"Host: xn--bcher-kva.example" in server.requests[1]


def test_a_location_relative_to_the_protocol_leads_to_its_host() -> None:
    with raw_server(OK) as other:
        response, _ = redirected(b"//127.0.0.1:%d/x" % other.port)
    assert response.url == f"{other.url}/x"


@pytest.mark.parametrize("header", [b"Location: ", b"Location:", b"Refresh: 0; url=/next", b"X: 1"])
def test_a_redirect_that_leads_nowhere_is_the_response(header: bytes) -> None:
    response = answered(b"HTTP/1.1 302 Found\r\n" + header + b"\r\nContent-Length: 2\r\n\r\nno")
    assert (response.status, response.body, response.redirects) == (302, b"no", ())


def test_a_refresh_is_not_followed() -> None:
    assert answered(with_body(b"ok", b"Refresh: 0; url=/next")).headers["refresh"] == "0; url=/next"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        (b"http://[::1", "is refused"),
        (b"javascript:alert(1)", "only http and https"),
        (b"http://b\xfccher.example/", "is not a valid host name"),
        (b"http://a\\b/", "backslash"),
        (b"/a\x01b", "control characters"),
        (b"/" + b"x" * 9_000, "longer than 8192 characters"),
    ],
)
def test_a_location_that_is_no_url_is_refused_with_the_reason(location: bytes, reason: str) -> None:
    with pytest.raises(RequestFailed, match=reason):
        redirected(location)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("café".encode(), "café"),
        (b"caf\xe9", "café"),
        ("à".encode(), "à"),
        (b"caf\xe9, " + "café".encode(), "café, cafÃ©"),
        (b"\xf0\x9f\x98\x80", "😀"),
        (b"\xed\xa0\x80", "í\xa0\x80"),
        (b"", ""),
    ],
)
def test_headers_are_text_in_utf_8_or_latin_1(value: bytes, text: str) -> None:
    response = answered(with_body(b"", b"X-Name: " + value))
    assert response.headers["x-name"] == text


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 Très bien\r\nContent-Length: 2\r\n\r\nok".encode(),
        b"HTTP/1.1 200 Tr\xe8s \xff\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more than was announced",
    ],
)
def test_odd_forms_of_a_response_are_read(answer: bytes) -> None:
    response = answered(answer)
    assert (response.status, response.body) == (200, b"ok")


@pytest.mark.parametrize("status", [204, 304])
def test_a_body_that_cannot_be_there_is_ignored(status: int) -> None:
    response = answered(b"HTTP/1.1 %d No\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok" % status)
    assert (response.status, response.body) == (status, b"")


def test_the_response_to_head_has_no_body_to_decompress() -> None:
    response = answered(with_body(b"", b"Content-Encoding: gzip", b"X-A: 1"), method="HEAD")
    assert (response.status, response.body) == (200, b"")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "Empty reply from server; try again"),
        (b"hello", "HTTP/0.9 when not allowed; check that the port speaks HTTP"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n", "; "),
        (b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", "Header without colon; check"),
        (b"HTTP/1.1 000 Odd\r\n\r\n", "check that the port speaks HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n", "NUL byte in header; "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "Content-Length: value; "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "outstanding read data remaining|bytes missing; try again"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding .*; "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "; "),
        (with_body(b"hello", b"Content-Encoding: gzip"), "is not gzip data, as its Content-Encoding says; "),
        (
            with_body(gzip.compress(b"hello", mtime=0)[:-4], b"Content-Encoding: x-gzip"),
            "ends before its gzip data does; ",
        ),
        (with_body(b"hello", b"Content-Encoding: " + b"gzip," * 6), "6 content encodings; at most 5 are read; "),
    ],
)
def test_what_fails_says_why_and_what_to_do(answer: bytes, words: str) -> None:
    with pytest.raises(RequestFailed, match=words) as caught:
        answered(answer)
    assert "libcurl error" not in str(caught.value)
    assert caught.value.remote_address.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", [b"UTF-8", b"aws-chunked", b"none", b"identity", b"br", b"zstd", b"", b"x" * 5_000])
def test_a_body_in_no_encoding_arrives_as_it_is(name: bytes) -> None:
    assert answered(with_body(b"hello", b"Content-Encoding: " + name)).body == b"hello"


@pytest.mark.parametrize("name", [b"gzip", b"X-GZIP", b"gzip, aws-chunked", b"utf-8,gzip"])
def test_a_compressed_body_is_decompressed(name: bytes) -> None:
    assert answered(with_body(gzip.compress(b"hello", mtime=0), b"Content-Encoding: " + name)).body == b"hello"


def test_encodings_on_several_lines_count_in_their_order() -> None:
    twice = gzip.compress(gzip.compress(b"hello", mtime=0))
    assert answered(with_body(twice, b"Content-Encoding: gzip", b"Content-Encoding: gzip")).body == b"hello"


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-be", "utf-8"])
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "text/plain"])
def test_json_is_read_in_every_encoding_of_unicode(codec: str, content_type: str) -> None:
    document = {"city": "Köln", "sign": "€"}
    body = json.dumps(document, ensure_ascii=False).encode(codec)
    assert answered(with_body(body, b"Content-Type: " + content_type.encode())).json() == document


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_request_without_a_body_says_so_and_is_no_form(method: str) -> None:
    with raw_server(OK) as server:
        send(Request(url=server.url, method=method), LOOPBACK)
    head = server.requests[0].lower()
    assert b"content-length: 0\r\n" in head
    assert b"content-type" not in head


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_a_body_without_a_type_is_no_form(method: str) -> None:
    with raw_server(OK) as server:
        send(Request(url=server.url, method=method, body=b"text"), LOOPBACK)
    request = server.requests[0].lower()
    assert request.startswith(method.lower().encode())
    assert b"content-length: 4\r\n" in request
    assert b"content-type" not in request
    assert request.endswith(b"text")


def test_the_headers_of_the_user_replace_those_of_the_client() -> None:
    given = {"user-agent": "me/1", "accept-encoding": "br", "CONTENT-TYPE": "text/csv", "X-Empty": ""}
    with raw_server(OK) as server:
        send(Request(url=server.url, method="POST", body=b"text", headers=given), LOOPBACK)
    lines = server.requests[0].lower().split(b"\r\n")
    for name in (b"user-agent", b"accept-encoding", b"content-type", b"x-empty"):
        assert len([line for line in lines if line.startswith(name + b":")]) == 1
    assert {b"user-agent: me/1", b"accept-encoding: br", b"content-type: text/csv", b"x-empty:"} <= set(lines)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/café/日本?q=é ü", b"/caf%C3%A9/%E6%97%A5%E6%9C%AC?q=%C3%A9%20%C3%BC"),
        ("/%e9/%E9/%7e?x=%c3%a9#fragment", b"/%e9/%E9/%7e?x=%c3%a9"),
        ("/100%/%zz", b"/100%/%zz"),
        ("/a/../b/%7e", b"/b/%7E"),
        ("/a?x=é&y=%C3%A9", b"/a?x=%C3%A9&y=%C3%A9"),
        ("?q=é", b"/?q=%C3%A9"),
    ],
)
def test_the_url_of_the_user_is_requested_as_it_is_meant(path: str, target: bytes) -> None:
    with raw_server(OK) as server:
        send(Request(url=server.url + path), LOOPBACK)
    assert server.requests[0].split(b" ")[1] == target


@pytest.mark.parametrize("host", ["bücher.example", "faß.example", "例え.example", "BÜCHER。example"])
def test_the_host_of_the_user_may_be_in_unicode(host: str) -> None:
    names = {"xn--bcher-kva.example", "xn--fa-hia.example", "xn--r8jz45g.example"}
    with raw_server(OK) as server:
        request = Request(url=f"http://{host}:{server.port}/", resolve={name: ["127.0.0.1"] for name in names})
        assert send(request, LOOPBACK).status == 200
