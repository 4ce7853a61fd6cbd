"""A publisher returns once the broker has the message, raises otherwise, and reconnects."""

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from support.brokers import Broker, take_all
from support.waiting import eventually

from coinrequest.channel.connection import ChannelUnavailable, without_password
from coinrequest.channel.messages import result_message
from coinrequest.channel.publisher import ResultPublisher


def _body(number: int = 0) -> bytes:
    return result_message(uuid4(), "integer", "success", {"value": number}, None, datetime.now(UTC))


def test_many_threads_share_one_publisher(broker: Broker) -> None:
    publisher = ResultPublisher(broker.url)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: publisher.publish_result(_body(number)), range(40)))
    publisher.close()
    found = [json.loads(message.body)["result"]["value"] for message in take_all(broker, "result", 40)]
    assert sorted(found) == list(range(40))


def test_texts_and_bytes_arrive_with_their_correlation_id(broker: Broker) -> None:
    publisher, body = ResultPublisher(broker.url), _body()
    publisher.publish_result(body)
    publisher.publish_result(body.decode())
    publisher.close()
    one, two = take_all(broker, "result", 2)
    assert json.loads(one.body) == json.loads(two.body) == json.loads(body)
    assert one.content_type == two.content_type == "application/json"
    assert one.properties["correlation_id"] == json.loads(body)["job_id"]
    assert one.properties["delivery_mode"] == 2


def test_a_publisher_recovers_when_the_broker_is_back(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    publisher = ResultPublisher(broker.url)
    publisher.publish_result(_body(1))
    broker.stop()
    try:
        began = time.monotonic()
        for _ in range(20):
            with pytest.raises(ChannelUnavailable):
                publisher.publish_result(_body(2))
        assert time.monotonic() - began < 20
    finally:
        broker.start()

    def published() -> bool:
        try:
            publisher.publish_result(_body(3))
        except ChannelUnavailable:
            return False
        return True

    eventually(published)
    publisher.close()
    values = [json.loads(message.body)["result"]["value"] for message in take_all(broker, "result", 2)]
    assert values == [1, 3]


def test_a_connection_closed_by_the_broker_loses_no_message(broker: Broker) -> None:
    publisher = ResultPublisher(broker.url)
    publisher.publish_result(_body(1))
    broker.stop()
    broker.start()
    time.sleep(1)  # longer than a connection counts as fresh
    publisher.publish_result(_body(2))
    publisher.close()
    take_all(broker, "result", 2)


@pytest.mark.parametrize(
    "text",
    ["redis://:secret@host:1/2", "amqp://me:secret@host//", "cannot reach amqps://me:secret@a.b:5671/x: refused"],
)
def test_passwords_are_not_shown(text: str) -> None:
    shown = without_password(text)
    assert "secret" not in shown
    assert ":**@" in shown
