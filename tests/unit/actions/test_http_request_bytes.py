"""What http.request makes of bytes that are no text, and of answers that a result cannot hold."""

import codecs
import json
from typing import Any

import pytest
from support.actions import errors, run
from support.http_stub import HttpStub, Reply
from support.raw_server import raw_server

from coinrequest.actions.http_request import HttpExtractFailed, HttpRequestFailed
from coinrequest.limits import MAX_RESULT_BYTES
from coinrequest.text import is_storable

LOST = "\N{REPLACEMENT CHARACTER}"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe\x00"


def answer_to(http_stub: HttpStub, body: bytes, content_type: str = "text/plain", **inputs: Any) -> dict[str, Any]:
    http_stub.replies = [Reply(body=body, headers={"Content-Type": content_type})]
    answer: dict[str, Any] = run("http.request", {"url": http_stub.url, **inputs})
    assert is_storable(json.dumps(answer, ensure_ascii=False))
    assert "\\u0000" not in json.dumps(answer["json"])
    return answer


@pytest.mark.parametrize(
    ("body", "content_type", "text", "charset", "replaced"),
    [
        (b"plain", "text/plain", "plain", "utf-8", False),
        ("grün".encode(), "", "grün", "utf-8", False),
        ("grün".encode("utf-8-sig"), "text/plain; charset=latin1", "grün", "utf-8", False),
        (b"gr\xfcn", "text/plain; charset=latin1", "grün", "windows-1252", False),
        (b"gr\xfcn", "text/plain", f"gr{LOST}n", "utf-8", True),
        (b"gr\xfcn", "text/plain; charset=undefined", f"gr{LOST}n", "utf-8", True),
        (b"gr\xc3\xbcn", "text/plain; charset=idna", "grün", "utf-8", False),
        (b"a\x00b", "text/plain", f"a{LOST}b", "utf-8", True),
        (f"a{LOST}b".encode(), "text/plain", f"a{LOST}b", "utf-8", False),
        (b"\xed\xa0\xbd", "text/plain", LOST * 3, "utf-8", True),
        (b"\x3d\xd8", "text/plain; charset=utf-16", LOST, "utf-16-le", True),
        (codecs.BOM_UTF16_BE + "é".encode("utf-16-be"), "", "é", "utf-16-be", False),
        (PNG, "image/png", PNG.decode(errors="replace").replace("\x00", LOST), "utf-8", True),
        (b"", "image/png", "", "utf-8", False),
    ],
)
def test_any_bytes_become_text_that_says_what_was_replaced(
    http_stub: HttpStub, loopback_allowed: None, body: bytes, content_type: str, text: str, charset: str, replaced: bool
) -> None:
    answer = answer_to(http_stub, body, content_type)
    assert (answer["body"], answer["charset"], answer["replaced"]) == (text, charset, replaced)
    assert answer["json"] is None


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (rb'{"a": "x\u0000y"}', {"a": f"x{LOST}y"}),
        (rb'{"a\u0000": ["\u0000"]}', {f"a{LOST}": [LOST]}),
        (rb'{"\ud83d": {"\ude00": "\ud83d"}}', {LOST: {LOST: LOST}}),
        (rb'["\ude00\ud83d"]', [LOST * 2]),
        (b'"\\u0000"', LOST),
    ],
)
def test_characters_that_cannot_be_stored_are_replaced_in_json(
    http_stub: HttpStub, loopback_allowed: None, body: bytes, document: Any
) -> None:
    answer = answer_to(http_stub, body, "application/json", extract={"all": "$"})
    assert (answer["json"], answer["extracted"], answer["replaced"]) == (document, {"all": document}, True)
    assert answer["body"] == body.decode()


def test_whole_surrogate_pairs_are_characters(http_stub: HttpStub, loopback_allowed: None) -> None:
    answer = answer_to(http_stub, rb'["\ud83d\ude00"]')
    assert (answer["json"], answer["replaced"]) == (["😀"], False)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_json_with_a_byte_order_mark_is_json(http_stub: HttpStub, loopback_allowed: None, codec: str) -> None:
    body = '{"city": "Köln"}'.encode(codec)
    answer = answer_to(http_stub, body, "application/json", extract={"city": "$.city"})
    assert (answer["json"], answer["extracted"]) == ({"city": "Köln"}, {"city": "Köln"})


def test_headers_are_text(loopback_allowed: None) -> None:
    said = b"HTTP/1.1 200 Tr\xe8s\r\nX-Utf: " + "é".encode() + b"\r\nX-Latin: \xe9\r\nContent-Length: 0\r\n\r\n"
    with raw_server(said) as server:
        headers = run("http.request", {"url": server.url})["headers"]
    assert (headers["x-utf"], headers["x-latin"]) == ("é", "é")


def test_an_error_quotes_any_bytes(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [Reply(500, body=PNG)]
    with pytest.raises(HttpRequestFailed) as caught:
        run("http.request", {"url": http_stub.url})
    assert is_storable(str(caught.value))
    assert "status 500" in str(caught.value)


@pytest.mark.parametrize("encoding", ["UTF-8", "aws-chunked", "none", "br"])
def test_a_content_encoding_that_is_none_is_no_obstacle(
    http_stub: HttpStub, loopback_allowed: None, encoding: str
) -> None:
    http_stub.replies = [Reply(body=b'{"a": 1}', headers={"Content-Encoding": encoding})]
    assert run("http.request", {"url": http_stub.url})["json"] == {"a": 1}


def test_json_that_does_not_fit_into_the_result_is_text(http_stub: HttpStub, loopback_allowed: None) -> None:
    texts = b"[" + b'"",' * 85_000 + b'""]'
    answer = answer_to(http_stub, texts, extract={"all": "$"})
    assert (answer["json"], answer["body"], answer["truncated"]) == (None, texts.decode(), False)
    assert len(answer["extracted"]["all"]) == 85_001
    assert len(json.dumps(answer, ensure_ascii=False).encode()) <= MAX_RESULT_BYTES


@pytest.mark.parametrize("depth", [195, 250, 900])
def test_json_that_is_nested_too_deeply_for_a_result_is_text(
    http_stub: HttpStub, loopback_allowed: None, depth: int
) -> None:
    body = b"[" * depth + b"]" * depth
    answer = answer_to(http_stub, body)
    assert answer["body"] == body.decode()
    assert (answer["json"] is None) == (depth > 200)


def test_a_mebibyte_of_cyrillic_json_fits(http_stub: HttpStub, loopback_allowed: None) -> None:
    document = {"text": "я" * 100_000}
    answer = answer_to(http_stub, json.dumps(document, ensure_ascii=False).encode())
    assert answer["json"] == document


@pytest.mark.parametrize(
    ("body", "extract"),
    [
        (json.dumps(["я" * 300_000], ensure_ascii=False).encode(), dict.fromkeys("abc", "$")),
        (b"[" * 250 + b"]" * 250, {"all": "$"}),
    ],
)
def test_extracted_values_that_no_result_holds_fail_with_the_limit(
    http_stub: HttpStub, loopback_allowed: None, body: bytes, extract: dict[str, str]
) -> None:
    http_stub.replies = [Reply(body=body)]
    with pytest.raises(HttpExtractFailed, match="select less: a result has at most 1,048,576 bytes and 200 levels"):
        run("http.request", {"url": http_stub.url, "extract": extract})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"method": "HEAD", "body": "x"}, "a HEAD request has no body; choose another method"),
        ({"method": "HEAD", "json": {}}, "a HEAD request has no body"),
        ({"method": "POST", "body": "я" * 600_000}, "body: has 1,200,000 bytes in UTF-8; at most 1,048,576 are sent"),
        ({"method": "POST", "json": ["я" * 600_000]}, "json: has 1,200,004 bytes in UTF-8; at most 1,048,576"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_the_request(inputs: dict[str, Any], message: str) -> None:
    assert message in errors("http.request", {"url": "http://example.test", **inputs})


def test_half_of_a_surrogate_pair_is_sent_as_an_escape(http_stub: HttpStub, loopback_allowed: None) -> None:
    run("http.request", {"url": http_stub.url, "method": "POST", "json": ["\ud83d", "é"]})
    assert json.loads(http_stub.hits[0].body) == ["\ud83d", "é"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_request_without_a_body_is_no_form(http_stub: HttpStub, loopback_allowed: None, method: str) -> None:
    run("http.request", {"url": http_stub.url, "method": method})
    headers = http_stub.hits[0].headers
    assert (headers.get("content-length"), headers.get("content-type")) == ("0", None)


def test_a_redirect_in_utf_8_is_followed(http_stub: HttpStub, loopback_allowed: None) -> None:
    with raw_server(f"HTTP/1.1 302 Found\r\nLocation: {http_stub.url}/ok?q=café\r\n\r\n".encode()) as server:
        assert run("http.request", {"url": server.url})["status"] == 200
    assert [hit.path for hit in http_stub.hits] == ["/ok?q=caf%C3%A9"]
