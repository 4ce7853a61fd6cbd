"""The Redis transport loses no message between two commands, and limits its queues."""

import json
from uuid import uuid4

import pytest
import redis
from kombu import Connection
from support.brokers import Broker, publish, take_all
from support.running_consumer import Store, message, running_consumer
from support.waiting import eventually

from coinrequest.channel import topology
from coinrequest.channel.client import ChannelClient
from coinrequest.channel.messages import result_message
from coinrequest.channel.publisher import ResultPublisher
from coinrequest.channel.redis_transport import UNACKED_INDEX_KEY, UNACKED_KEY
from coinrequest.gateway.outcomes import Outcome


@pytest.fixture
def server(redis_broker: Broker) -> redis.Redis:
    with redis.Redis.from_url(redis_broker.url, decode_responses=True) as client:
        yield client


def test_each_message_is_queued_or_unacknowledged(redis_broker: Broker, server: redis.Redis) -> None:
    """Also while the gateway is busy: then kombu itself would have one in neither place."""
    publish(redis_broker, *(message() for _ in range(30)))
    store = Store(lambda order: Outcome("postponed", "the database is away"))
    with running_consumer(redis_broker.url, store, prefetch=10):
        eventually(lambda: len(set(store.seen)) == 10)
        eventually(lambda: store.calls > 3)
        assert (server.llen("job"), server.hlen(UNACKED_KEY), server.zcard(UNACKED_INDEX_KEY)) == (20, 10, 10)
    assert (server.llen("job"), server.hlen(UNACKED_KEY)) == (30, 0)


def test_messages_of_every_priority_are_received(redis_broker: Broker) -> None:
    ids, store = [uuid4() for _ in range(4)], Store()
    with running_consumer(redis_broker.url, store):
        for job_id, priority in zip(ids, (0, 3, 6, 9), strict=True):
            publish(redis_broker, message(job_id), priority=priority)
        eventually(lambda: store.stored == set(ids))


def test_messages_that_kombu_did_not_write_are_dead_lettered(redis_broker: Broker, server: redis.Redis) -> None:
    envelope = {"properties": {"delivery_tag": "1", "delivery_info": {}, "body_encoding": "base64"}, "body": "!!!"}
    raw = ["hello", "{}", '{"properties": 4}', json.dumps(envelope)]
    job_id, store = uuid4(), Store()
    server.lpush("job", *raw)
    publish(redis_broker, message(job_id))
    with running_consumer(redis_broker.url, store):
        eventually(lambda: store.stored == {job_id})
        dead = take_all(redis_broker, "job-dead-letter", 4)
        take_all(redis_broker, "result", 4)
    assert [letter.body.decode() for letter in dead] == ["hello", "{}", '{"properties": 4}', "!!!"]


def test_unread_queues_are_limited(redis_broker: Broker, server: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topology, "LONGEST_QUEUE", 5)
    publisher = ResultPublisher(redis_broker.url)
    with ChannelClient(redis_broker.url):
        (private,) = [
            key.split("\x06\x16")[2]
            for key in server.smembers("_kombu.binding.job-exchange")
            if topology.PRIVATE_QUEUE_PREFIX in key
        ]
        ids = [str(uuid4()) for _ in range(12)]
        for job_id in ids:
            publisher.publish_result(result_message(job_id, "integer", "success", None, None, None))  # type: ignore[arg-type]
            publisher.dead_letter(b"bad", "no JSON")
        assert server.llen("result") == server.llen("job-dead-letter") == 5
        assert [json.loads(found.body)["job_id"] for found in take_all(redis_broker, "result", 5)] == ids[-5:]
    publisher.close()
    assert not server.exists(private)
    assert not any(private in member for member in server.smembers("_kombu.binding.job-exchange"))


def test_the_private_queue_of_a_killed_reader_expires(redis_broker: Broker, server: redis.Redis) -> None:
    publisher = ResultPublisher(redis_broker.url)
    client = ChannelClient(redis_broker.url).__enter__()
    client._disconnect()  # as if it were killed: the queue stays
    publisher.publish_result(result_message(uuid4(), "integer", "success", None, None, None))
    publisher.close()
    (private,) = server.keys(f"{topology.PRIVATE_QUEUE_PREFIX}*")
    assert 0 < server.ttl(private) <= topology.PRIVATE_QUEUE_SECONDS


def test_other_users_of_the_same_redis_are_left_alone(redis_broker: Broker, server: redis.Redis) -> None:
    """Celery keeps what is not acknowledged under kombu's default names."""
    server.hset("unacked", "tag", "theirs")
    server.zadd("unacked_index", {"tag": 1})
    store, job_id = Store(), uuid4()
    with running_consumer(redis_broker.url, store, visibility=1):
        publish(redis_broker, message(job_id))
        eventually(lambda: store.stored == {job_id})
    assert server.hgetall("unacked") == {"tag": "theirs"}
    with Connection(redis_broker.url) as connection:
        assert connection.default_channel.unacked_key == "unacked"
