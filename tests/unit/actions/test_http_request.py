import json
from typing import Any

import pytest
from support.actions import errors, run
from support.http_stub import Hit, HttpStub, Reply

from coinrequest.actions.base import ActionFailed
from coinrequest.actions.http_request import HttpExtractFailed, HttpRequestFailed, HttpUnexpectedStatus

ORDERS = b'{"orders": [{"id": 7, "city": "Cork"}, {"id": 8, "city": "K\\u00f6ln"}], "next": null}'


def test_a_request_sends_json_and_reads_json(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [
        Reply(201, b'{"id": 7}', headers={"Content-Type": "application/json", "X-Two": "1", "Set-Cookie": "a=1"})
    ]
    answer = run(
        "http.request",
        {"url": http_stub.url + "/orders", "method": "POST", "json": {"name": "ü"}, "headers": {"X-Team": "data"}},
    )
    assert (answer["status"], answer["json"], answer["body"]) == (201, {"id": 7}, '{"id": 7}')
    assert answer["headers"]["x-two"] == "1"
    assert answer["truncated"] is False
    hit: Hit = http_stub.hits[0]
    assert (hit.method, hit.path, json.loads(hit.body)) == ("POST", "/orders", {"name": "ü"})
    assert hit.headers["content-type"] == "application/json"
    assert hit.headers["x-team"] == "data"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_arrives(http_stub: HttpStub, loopback_allowed: None, method: str) -> None:
    assert run("http.request", {"url": http_stub.url, "method": method})["status"] == 200
    assert [(hit.method, hit.body) for hit in http_stub.hits] == [(method, b"")]


def test_a_text_body_arrives(http_stub: HttpStub, loopback_allowed: None) -> None:
    run("http.request", {"url": http_stub.url, "method": "PUT", "body": "grün"})
    assert http_stub.hits[0].body == "grün".encode()
    assert http_stub.hits[0].headers["content-type"] == "text/plain; charset=utf-8"


def test_the_response_is_decoded_with_its_character_set(http_stub: HttpStub, loopback_allowed: None) -> None:
    latin = Reply(body=b"gr\xfcn", headers={"Content-Type": "text/plain; charset=iso-8859-1"})
    http_stub.replies = [latin, Reply(body=b"\xff", headers={"Content-Type": "text/plain; charset=base64"})]
    assert run("http.request", {"url": http_stub.url})["body"] == "grün"
    assert run("http.request", {"url": http_stub.url})["body"] == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("body", [b"NaN", b'{"a": Infinity}', b"[1e999]", b"<html>", b"", b"[" * 100_000])
def test_a_response_that_is_not_json_is_text(http_stub: HttpStub, loopback_allowed: None, body: bytes) -> None:
    http_stub.replies = [Reply(body=body)]
    answer = run("http.request", {"url": http_stub.url})
    assert (answer["json"], answer["body"]) == (None, body.decode())


def test_a_long_response_is_truncated(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [Reply(body=b"1" * 300_000)]
    answer = run("http.request", {"url": http_stub.url})
    assert (len(answer["body"]), answer["truncated"], answer["json"]) == (262_144, True, None)


@pytest.mark.parametrize(
    ("status", "expected", "message"),
    [
        (404, None, "responded with status 404, expected below 400: 'no such order'"),
        (500, None, "status 500"),
        (200, [201, 202], "status 200, expected 201,202"),
        (302, "200-299,304", "status 302, expected 200-299,304"),
        (200, ["4xx", 500], "status 200, expected 4xx,500"),
    ],
)
def test_an_unexpected_status_fails_the_action(
    http_stub: HttpStub, loopback_allowed: None, status: int, expected: Any, message: str
) -> None:
    http_stub.replies = [Reply(status, b"no such order")]
    with pytest.raises(ActionFailed, match=message):
        run("http.request", {"url": http_stub.url, "expected_status": expected})
    assert len(http_stub.hits) == 1


@pytest.mark.parametrize("expected", [[404], ["4xx"], "404", "200,4xx", "400-499"])
def test_an_error_status_may_be_expected(http_stub: HttpStub, loopback_allowed: None, expected: Any) -> None:
    http_stub.replies = [Reply(404)]
    assert run("http.request", {"url": http_stub.url, "expected_status": expected})["status"] == 404


def test_the_guard_applies_to_requests(http_stub: HttpStub) -> None:
    with pytest.raises(ActionFailed, match=r"127\.0\.0\.1 is refused: loopback address"):
        run("http.request", {"url": http_stub.url})
    assert http_stub.hits == []


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"body": "x", "json": {}}, "not both"),
        ({"method": "get"}, "method"),
        ({"headers": {"Host": "other.test"}}, "the client sets it"),
        ({"headers": {"content-length": "1"}}, "the client sets it"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "must be one line of ASCII"),
        ({"headers": {"X A": "a"}}, "is not a valid header name"),
        ({"headers": {"X-A:": "a"}}, "is not a valid header name"),
        ({"json_body": 1}, "json_body"),
        ({"expected_status": []}, "at least 1 item"),
        ({"expected_status": ""}, "at least 1 character"),
        ({"expected_status": "ok"}, "'ok' is not a status; write 200, 2xx or 200-299"),
        ({"expected_status": [99]}, "'99' is not a status"),
        ({"expected_status": ["299-200"]}, "is empty; write the lower status first"),
        ({"extract": {"id": "order.id"}}, "'order.id' is not a JSONPath: it must start with $ (position 0)"),
        ({"extract": {"a b": "$"}}, "extract"),
        ({"query": {"a": {"b": 1}}}, "query"),
        ({"url": "/orders"}, "a path needs a connection"),
        ({"timeout": 301}, "less than or equal to 300"),
    ],
)
def test_invalid_requests_are_refused(inputs: dict[str, Any], message: str) -> None:
    assert message in errors("http.request", {"url": "http://example.test", **inputs})


def test_a_query_is_added_to_the_url(http_stub: HttpStub, loopback_allowed: None) -> None:
    query = {"q": "a&b ü", "state": ["open", "paid"], "page": 2, "deep": True, "none": None}
    run("http.request", {"url": f"{http_stub.url}/find?x=1#part", "query": query})
    run("http.request", {"url": http_stub.url, "query": {"none": None}})
    assert [hit.path for hit in http_stub.hits] == [
        "/find?x=1&q=a%26b+%C3%BC&state=open&state=paid&page=2&deep=true",
        "/",
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.orders[0].id", 7),
        ("$.orders[-1].city", "Köln"),
        ("$.orders[*].id", [7, 8]),
        ("$.orders[?@.city == 'Cork'].id", [7]),
        ("$..nothing", []),
        ("$.next", None),
        ("$.nothing", None),
        ("$.orders", [{"id": 7, "city": "Cork"}, {"id": 8, "city": "Köln"}]),
    ],
)
def test_parts_of_the_response_are_extracted(
    http_stub: HttpStub, loopback_allowed: None, path: str, value: object
) -> None:
    http_stub.replies = [Reply(body=ORDERS)]
    assert run("http.request", {"url": http_stub.url, "extract": {"x": path}})["extracted"] == {"x": value}


def test_required_values_must_exist(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [Reply(body=ORDERS)]
    inputs = {"url": http_stub.url, "extract": {"next": "$.next", "id": "$.id"}, "extract_required": True}
    with pytest.raises(HttpExtractFailed, match=r"extract\.id: '\$\.id' selects nothing") as caught:
        run("http.request", inputs)
    assert caught.value.status == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "the response is not JSON"),
        (b"", "the response is not JSON"),
        (b"[" + b"1," * 600_000 + b"1]", "the response is longer than 1048576 bytes"),
        (b"[" * 200 + b"]" * 200, "extract.x: the document cannot be searched"),
    ],
)
def test_nothing_is_extracted_from_a_response_that_is_not_json(
    http_stub: HttpStub, loopback_allowed: None, body: bytes, message: str
) -> None:
    http_stub.replies = [Reply(body=body)]
    with pytest.raises(HttpExtractFailed, match=message):
        run("http.request", {"url": http_stub.url, "extract": {"x": "$..x"}})


def test_a_document_that_is_too_long_for_the_result_can_be_extracted_from(
    http_stub: HttpStub, loopback_allowed: None
) -> None:
    http_stub.replies = [Reply(body=json.dumps({"pad": "ü" * 200_000, "id": 7}, ensure_ascii=False).encode())]
    answer = run("http.request", {"url": http_stub.url, "extract": {"id": "$.id"}})
    assert (answer["extracted"], answer["json"], answer["truncated"]) == ({"id": 7}, None, True)
    assert 262_000 < len(answer["body"].encode()) <= 262_144


def test_lone_surrogates_and_infinity_do_no_harm(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [Reply(body=b'{"a": "\\ud800", "b": [1.5, -0.0, 1e300, 123456789012345678901234567890]}')]
    answer = run("http.request", {"url": http_stub.url, "extract": {"a": "$.a"}})
    assert answer["json"]["b"][3] == 123456789012345678901234567890


def test_a_server_that_hangs_is_a_timeout(http_stub: HttpStub, loopback_allowed: None) -> None:
    import threading

    held = threading.Event()
    http_stub.replies = [Reply(wait=held)]
    try:
        with pytest.raises(HttpRequestFailed, match="timed out") as caught:
            run("http.request", {"url": http_stub.url, "timeout": 0.2})
    finally:
        held.set()
    assert caught.value.status is None


def test_the_failure_has_the_status(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [Reply(503)]
    with pytest.raises(HttpUnexpectedStatus) as caught:
        run("http.request", {"url": http_stub.url})
    assert caught.value.status == 503


def test_redirects_are_limited(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [Reply(302, headers={"Location": "/again"})]
    with pytest.raises(HttpRequestFailed, match="more than 2 redirects"):
        run("http.request", {"url": http_stub.url, "redirect_limit": 2})
    assert run("http.request", {"url": http_stub.url, "redirect_limit": 0})["status"] == 302
