"""Which failed requests may be sent again: not one whose work a server has done, if it would do it twice."""

from typing import Any

import pytest
from support.actions import run
from support.http_stub import HttpStub, Reply

from coinrequest.actions.http_request import HttpExtractFailed, HttpRequestFailed

pytestmark = pytest.mark.usefixtures("loopback_allowed")

NOT_GZIP = {"Content-Encoding": "gzip"}


def failure(http_stub: HttpStub, replies: list[Reply], **inputs: Any) -> HttpRequestFailed:
    http_stub.replies = replies
    with pytest.raises(HttpRequestFailed) as raised:
        run("http.request", {"url": http_stub.url, **inputs})
    return raised.value


@pytest.mark.parametrize(
    ("method", "work_done"),
    [("POST", True), ("PATCH", True), ("GET", False), ("PUT", False), ("DELETE", False), ("OPTIONS", False)],
)
@pytest.mark.parametrize(
    ("body", "inputs"),
    [(b"<html>", {}), (b"{}", {"extract_required": True}), (b'{"id": "' + b"x" * 1_048_560 + b'"}', {})],
    ids=["not JSON", "nothing", "too large"],
)
def test_a_value_that_cannot_be_extracted_is_no_reason_to_do_the_work_again(
    http_stub: HttpStub, method: str, work_done: bool, body: bytes, inputs: dict[str, Any]
) -> None:
    error = failure(http_stub, [Reply(201, body)], method=method, extract={"id": "$.id"}, **inputs)
    assert isinstance(error, HttpExtractFailed)
    assert error.work_done is work_done


@pytest.mark.parametrize(("method", "work_done"), [("POST", True), ("PATCH", True), ("PUT", False)])
def test_an_answer_whose_body_cannot_be_read_is_one(http_stub: HttpStub, method: str, work_done: bool) -> None:
    error = failure(http_stub, [Reply(201, b"text", NOT_GZIP)], method=method)
    assert (error.work_done, error.status) == (work_done, 201)


def test_an_answer_that_ends_too_early_is_one(http_stub: HttpStub) -> None:
    error = failure(http_stub, [Reply(201, b"text", {"Connection": "close"}, announced_length=9)], method="POST")
    assert error.work_done


def test_a_page_to_which_a_post_led_need_not_be_read(http_stub: HttpStub) -> None:
    see_other, broken = Reply(303, b"", {"Location": "/done"}), Reply(200, b"text", NOT_GZIP)
    assert failure(http_stub, [see_other, broken], method="POST", expected_status="201").work_done


def test_a_post_that_was_redirected_as_a_post_may_be_sent_again(http_stub: HttpStub) -> None:
    kept, refused = Reply(307, b"", {"Location": "/there"}), Reply(500, b"text", NOT_GZIP)
    assert not failure(http_stub, [kept, refused], method="POST").work_done


@pytest.mark.parametrize(
    "reply", [Reply(500), Reply(429), Reply(500, b"text", NOT_GZIP)], ids=["500", "429", "500 that cannot be read"]
)
def test_a_post_that_was_not_accepted_may_be_sent_again(http_stub: HttpStub, reply: Reply) -> None:
    assert not failure(http_stub, [reply], method="POST").work_done


def test_a_post_that_reached_nobody_may_be_sent_again(http_stub: HttpStub) -> None:
    http_stub.server.server_close()
    assert not failure(http_stub, [], method="POST").work_done
