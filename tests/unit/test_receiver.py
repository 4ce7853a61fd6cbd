"""The receiver of webhooks that other tests rely on."""

import threading
import time

import pytest
import requests
from support.receiver import Answer, Receiver, webhook_receiver


def post(receiver: Receiver, body: str = "{}", path: str = "/hook", timeout: float = 10.0) -> int:
    return requests.post(receiver.url + path, data=body, headers={"Webhook-Id": "msg_1"}, timeout=timeout).status_code


def test_answers_follow_the_script_and_requests_are_kept(receiver: Receiver) -> None:
    receiver.script(500, Answer(410, headers={"Retry-After": "3"}))
    receiver.otherwise = Answer(204)
    assert [post(receiver, f'{{"n": {n}}}') for n in range(4)] == [500, 410, 204, 204]
    assert [request.json()["n"] for request in receiver.wait_for(4)] == [0, 1, 2, 3]
    first = receiver.at("/hook")[0]
    assert (first.method, first.headers["webhook-id"], first.at.tzname()) == ("POST", "msg_1", "UTC")


def test_an_answer_may_take_its_time_and_hold_nobody_else_up(receiver: Receiver) -> None:
    receiver.script(Answer(hang=True))
    hanging = threading.Thread(target=post, args=(receiver,))
    hanging.start()
    receiver.wait_for(1)
    assert post(receiver) == 200
    assert hanging.is_alive()
    receiver.release()
    hanging.join(10)
    assert not hanging.is_alive()
    receiver.script(Answer(delay=0.2))
    began = time.monotonic()
    assert post(receiver) == 200
    assert time.monotonic() - began >= 0.2


def test_a_receiver_may_go_and_come_back_under_the_same_address() -> None:
    with webhook_receiver() as first:
        assert post(first) == 200
    with pytest.raises(requests.ConnectionError):
        post(first)
    with webhook_receiver(first.port) as second:
        assert post(second) == 200
        assert second.url == first.url
