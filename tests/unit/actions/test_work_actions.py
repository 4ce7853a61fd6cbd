"""The actions as an agent calls them: plain JSON in, plain JSON out."""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from stubs import Hit, HttpStub, Reply

from coinrequest.actions.base import ActionFailed
from coinrequest.actions.catalogue import find_action


def run(name: str, inputs: dict[str, Any]) -> Any:
    """Run an action as an agent does, and prove that its result can be stored."""
    action = find_action(name)
    result = action().run(action.Inputs.model_validate(inputs)).model_dump(mode="json")
    return json.loads(json.dumps(result, allow_nan=False))


def errors(name: str, inputs: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        find_action(name).Inputs.model_validate(inputs)
    return str(caught.value)


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


def test_the_characters_of_the_answer_are_read_as_it_says(http_stub: HttpStub, loopback_allowed: None) -> None:
    latin = Reply(body=b"gr\xfcn", headers={"Content-Type": "text/plain; charset=iso-8859-1"})
    http_stub.replies = [latin, Reply(body=b"\xff", headers={"Content-Type": "text/plain; charset=base64"})]
    assert run("http.request", {"url": http_stub.url})["body"] == "grün"
    assert run("http.request", {"url": http_stub.url})["body"] == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("body", [b"NaN", b'{"a": Infinity}', b"<html>", b"", b"[" * 100_000])
def test_what_is_no_json_is_text(http_stub: HttpStub, loopback_allowed: None, body: bytes) -> None:
    http_stub.replies = [Reply(body=body)]
    answer = run("http.request", {"url": http_stub.url})
    assert (answer["json"], answer["body"]) == (None, body.decode())


def test_a_long_answer_is_cut(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [Reply(body=b"1" * 300_000)]
    answer = run("http.request", {"url": http_stub.url})
    assert (len(answer["body"]), answer["truncated"], answer["json"]) == (262_144, True, None)


@pytest.mark.parametrize(
    ("status", "expected", "message"),
    [
        (404, None, "answered with status 404, expected below 400: 'no such order'"),
        (500, None, "status 500"),
        (200, [201, 202], "status 200, expected 201 or 202"),
    ],
)
def test_an_unexpected_status_fails_the_action(
    http_stub: HttpStub, loopback_allowed: None, status: int, expected: list[int] | None, message: str
) -> None:
    http_stub.replies = [Reply(status, b"no such order")]
    with pytest.raises(ActionFailed, match=message):
        run("http.request", {"url": http_stub.url, "expected_status": expected})
    assert len(http_stub.hits) == 1


def test_an_error_status_may_be_what_is_expected(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [Reply(404)]
    assert run("http.request", {"url": http_stub.url, "expected_status": [404]})["status"] == 404


def test_a_request_stands_under_the_same_guard(http_stub: HttpStub) -> None:
    with pytest.raises(ActionFailed, match=r"127\.0\.0\.1 is refused: loopback address"):
        run("http.request", {"url": http_stub.url})
    assert http_stub.hits == []


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"body": "x", "json": {}}, "not both"),
        ({"method": "get"}, "method"),
        ({"headers": {"Host": "other.test"}}, "set by the request itself"),
        ({"headers": {"content-length": "1"}}, "set by the request itself"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "is not one line"),
        ({"headers": {"X A": "a"}}, "is not the name of a header"),
        ({"headers": {"X-A:": "a"}}, "is not the name of a header"),
        ({"json_body": 1}, "json_body"),
        ({"expected_status": []}, "at least 1 item"),
    ],
)
def test_a_request_that_is_none_is_refused(inputs: dict[str, Any], message: str) -> None:
    assert message in errors("http.request", {"url": "http://example.test", **inputs})
