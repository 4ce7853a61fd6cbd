"""No message is lost if the broker starts late or restarts, or if a gateway is killed."""

import logging
import multiprocessing
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from support.brokers import Broker, publish, take_all
from support.running_consumer import Store, message, running_consumer
from support.waiting import eventually

from coinrequest.gateway.outcomes import Outcome

pytestmark = pytest.mark.faults


@pytest.fixture
def stopped(broker: Broker) -> Iterator[Broker]:
    """A stopped broker; it is started again after the test."""
    broker.stop()
    try:
        yield broker
    finally:
        if not broker.running:
            broker.start()


def test_a_gateway_that_starts_first_waits_for_the_broker(stopped: Broker, caplog: pytest.LogCaptureFixture) -> None:
    store, job_id = Store(), uuid4()
    caplog.set_level(logging.INFO, "coinrequest.gateway")
    with running_consumer(stopped.url, store) as status:
        eventually(lambda: caplog.text.count("is disconnected") == 1)
        time.sleep(1.5)  # long enough for several tries
        assert caplog.text.count("is disconnected") == 1
        channel, detail = status.state()
        assert channel == "disconnected"
        assert detail
        stopped.start()
        publish(stopped, message(job_id))
        eventually(lambda: store.stored == {job_id})
        assert status.state() == ("connected", None)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_gateway_reconnects_to_a_broker_that_restarts(broker: Broker, how: str) -> None:
    store, ids = Store(), [uuid4() for _ in range(40)]
    with running_consumer(broker.url, store, visibility=1) as status:
        publish(broker, *map(message, ids[:20]))
        eventually(lambda: len(store.stored) >= 1)
        getattr(broker, how)()
        eventually(lambda: status.state()[0] == "disconnected")
        broker.start()
        publish(broker, *map(message, ids[20:]))
        # Messages that were stored but not acknowledged are delivered twice.
        eventually(lambda: store.stored == set(ids))


def _hold(url: str, taken: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    def decide(order: object) -> Outcome:
        return Outcome("postponed", "the database is away")

    store = Store(decide)
    with running_consumer(url, store, visibility=2, prefetch=10):
        eventually(lambda: len(set(store.seen)) == 10)
        taken.put(True)
        time.sleep(60)


def test_the_messages_of_a_killed_gateway_are_redelivered_soon(broker: Broker) -> None:
    """Including those in its buffer: it holds ten, and more are in the queue."""
    context = multiprocessing.get_context("spawn")
    taken, ids = context.Queue(), [uuid4() for _ in range(30)]
    publish(broker, *map(message, ids))
    held = context.Process(target=_hold, args=(broker.url, taken))
    held.start()
    try:
        assert taken.get(timeout=60)
    finally:
        held.kill()
        held.join()
    store = Store()
    with running_consumer(broker.url, store, visibility=2):
        eventually(lambda: store.stored == set(ids), timeout=20)
    assert len(store.seen) == 30
    take_all(broker, "job", 0)
