"""A message is acknowledged when its job is stored, or when its refusal is at the broker; over both brokers."""

import json
import logging
import threading
import time
from uuid import UUID, uuid4

import pytest
from support.brokers import Broker, publish, take_all
from support.running_consumer import Order, Store, message, running_consumer
from support.waiting import always, eventually

from coinrequest.gateway.consumer import PREFETCH
from coinrequest.gateway.outcomes import Outcome


def _ids(count: int) -> list[UUID]:
    return [uuid4() for _ in range(count)]


def test_messages_are_stored_in_batches_and_acknowledged(broker: Broker) -> None:
    ids, store = _ids(250), Store()
    publish(broker, *map(message, ids))
    with running_consumer(broker.url, store):
        eventually(lambda: len(store.stored) == 250, what="all are stored")
    assert set(store.seen) == set(ids)
    assert len(store.seen) == 250
    assert max(map(len, store.batches)) <= PREFETCH
    assert len(store.batches) < 50
    take_all(broker, "job", 0)


def test_a_gateway_may_start_before_any_publisher(broker: Broker) -> None:
    store = Store()
    with running_consumer(broker.url, store) as status:
        eventually(lambda: status.state()[0] == "connected")
        job_id = uuid4()
        publish(broker, message(job_id))
        eventually(lambda: store.stored == {job_id})


def test_two_gateways_share_the_messages(broker: Broker) -> None:
    ids, one, two = _ids(100), Store(), Store()
    with running_consumer(broker.url, one, prefetch=5), running_consumer(broker.url, two, prefetch=5):
        publish(broker, *map(message, ids))
        eventually(lambda: len(one.stored) + len(two.stored) == 100)
    assert one.stored | two.stored == set(ids)
    assert sorted(one.seen + two.seen) == sorted(ids)


def test_the_same_id_twice_is_acknowledged_without_a_second_result(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    job_id, store = uuid4(), Store()
    caplog.set_level(logging.INFO, "coinrequest.gateway")
    with running_consumer(broker.url, store):
        publish(broker, message(job_id), message(job_id))
        eventually(lambda: len(store.seen) == 2)
        eventually(lambda: f"Job {job_id}: exists already" in caplog.text)
    assert f"Job {job_id}: taken" in caplog.text
    assert f"Job {job_id}: stored" in caplog.text
    for queue in ("job", "result", "job-dead-letter"):
        take_all(broker, queue, 0)


BAD = (
    ("no JSON", "is not JSON", False),
    (b"\xff\x00", "is not JSON", False),
    (json.dumps({"job_id": "{id}", "job_type": "integer"}), "job_payload", True),
    # An error of the parser itself.
    (json.dumps({"job_payload": {"type": "integer"}}), "KeyError: 'job_id'", False),
)


def test_an_invalid_message_is_dead_lettered_and_answered(broker: Broker) -> None:
    job_id, store = str(uuid4()), Store()
    sent = [_bytes(body).replace(b"{id}", job_id.encode()) for body, _, _ in BAD]
    publish(broker, *sent, headers={"from": "somebody"})
    with running_consumer(broker.url, store):
        dead = take_all(broker, "job-dead-letter", len(BAD))
        answers = take_all(broker, "result", len(BAD))
    for body, letter, answer, (_, said, named) in zip(sent, dead, answers, BAD, strict=True):
        assert _bytes(letter.body) == body
        assert said in letter.headers["x-reason"]
        assert letter.headers["from"] == "somebody"
        result = json.loads(answer.body)
        assert set(result) == {"job_id", "job_type", "state", "result", "error", "ended_at"}
        assert (result["job_id"], result["state"], result["result"]) == (job_id if named else None, "refused", None)
        assert result["error"] == letter.headers["x-reason"]
    assert not store.seen
    take_all(broker, "job", 0)


def _bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()


def test_a_refused_job_is_dead_lettered_and_answered(broker: Broker) -> None:
    good, bad = _ids(2)

    def decide(order: Order) -> Outcome | None:
        return Outcome("refused", "params.value: must be at least 0") if order.job_id == bad else None

    store = Store(decide)
    publish(broker, message(bad, -1), message(good))
    with running_consumer(broker.url, store):
        (dead,) = take_all(broker, "job-dead-letter", 1)
        (answer,) = take_all(broker, "result", 1)
        eventually(lambda: store.stored == {good})
    assert json.loads(dead.body)["job_id"] == str(bad)
    result = json.loads(answer.body)
    assert (result["job_id"], result["job_type"], result["state"]) == (str(bad), "integer", "refused")
    assert "params.value" in result["error"]


def test_messages_wait_for_the_database_without_a_busy_loop(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    away = threading.Event()
    away.set()
    store = Store(lambda order: Outcome("postponed", "connection refused") if away.is_set() else None)
    ids = _ids(20)
    with running_consumer(broker.url, store):
        publish(broker, *map(message, ids))
        eventually(lambda: store.calls >= 3)
        before, began = store.calls, time.monotonic()
        always(lambda: not store.stored, seconds=2)
        assert store.calls - before <= 8 * (time.monotonic() - began)
        away.clear()
        eventually(lambda: store.stored == set(ids))
    assert caplog.text.count("Messages wait because the database") == 1
    for queue in ("job", "result", "job-dead-letter"):
        take_all(broker, queue, 0)


def test_messages_that_wait_go_back_when_the_gateway_stops(broker: Broker) -> None:
    ids = _ids(10)
    publish(broker, *map(message, ids))
    stuck = Store(lambda order: Outcome("postponed", "connection refused"))
    with running_consumer(broker.url, stuck):
        eventually(lambda: len(set(stuck.seen)) == 10)
    store = Store()
    with running_consumer(broker.url, store):
        eventually(lambda: store.stored == set(ids), timeout=10)
