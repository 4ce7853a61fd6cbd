"""Hostile messages of the channel are limited in size, set aside and answered, by gateways and readers alike."""

import gzip
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from kombu import Connection
from support.brokers import BROKERS, Broker, empty, publish, shared_broker, take_all
from support.running_consumer import Store, message, running_consumer
from support.waiting import eventually

from coinrequest.channel import topology
from coinrequest.channel.client import ChannelClient
from coinrequest.channel.command import main
from coinrequest.channel.messages import result_message
from coinrequest.channel.publisher import ResultPublisher
from coinrequest.channel.redis_transport import UNACKED_INDEX_KEY, UNACKED_KEY
from coinrequest.gateway.command import _redis_database
from coinrequest.jobtypes.grammar import QUEUE_PATTERN

pytestmark = pytest.mark.security


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Broker:
    found = shared_broker(request.param)
    empty(found)
    return found


@pytest.fixture
def redis_broker() -> Broker:
    found = shared_broker("redis")
    empty(found)
    return found


@pytest.fixture
def server(redis_broker: Broker) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_broker.url) as client:
        yield client


COMPRESSIONS = ("gzip", "application/x-gzip", "bzip2", "nothing", "", 4, True, ["gzip"], {"a": "gzip"})


def test_a_compressed_message_is_refused_without_decompressing_it(broker: Broker) -> None:
    job_id, store, packed = uuid.uuid4(), Store(), gzip.compress(b"{}")
    for compression in COMPRESSIONS:
        publish(broker, packed, headers={"compression": compression, "from": "somebody"})
    publish(broker, message(job_id))
    with running_consumer(broker.url, store):
        eventually(lambda: store.stored == {job_id})
        dead = take_all(broker, "job-dead-letter", len(COMPRESSIONS))
        answers = take_all(broker, "result", len(COMPRESSIONS))
    for letter, answer in zip(dead, answers, strict=True):
        assert bytes(letter.body) == packed
        assert "compressed" in letter.headers["x-reason"]
        assert letter.headers["from"] == "somebody"
        assert "compression" not in letter.headers  # kombu would decompress the letter when it is read
        assert "original-compression" in letter.headers
        assert json.loads(answer.body)["state"] == "refused"
    take_all(broker, "job", 0)


ENCODINGS = ("utf-16", "utf-7", "idna", "punycode", "base64", "undefined", "zlib", "rot13", "4")


def test_only_the_codecs_that_we_send_are_used(broker: Broker) -> None:
    ids, store = [uuid.uuid4() for _ in range(3)], Store()
    for encoding in ENCODINGS:
        publish(broker, message().encode(), content_encoding=encoding)
    for job_id, encoding in zip(ids, ("utf-8", "UTF-8", "binary"), strict=True):
        publish(broker, message(job_id).encode(), content_encoding=encoding)
    with running_consumer(broker.url, store):
        eventually(lambda: store.stored == set(ids))
        dead = take_all(broker, "job-dead-letter", len(ENCODINGS))
    for letter, encoding in zip(dead, ENCODINGS, strict=True):
        assert f"the content encoding '{encoding}' is not supported; send utf-8" in letter.headers["x-reason"]
        assert json.loads(letter.body)["job_payload"]


def test_only_the_start_of_a_message_that_is_too_large_is_set_aside(broker: Broker) -> None:
    job_id, store, size = uuid.uuid4(), Store(), 20_000_000
    publish(broker, b"x" * size)
    publish(broker, message(job_id))
    with running_consumer(broker.url, store, largest=80_000):
        eventually(lambda: store.stored == {job_id})
        (letter,) = take_all(broker, "job-dead-letter", 1)
    assert "the limit is" in letter.headers["x-reason"]
    assert 0 < len(letter.body) <= 4096


_CONSUMER = """
import pathlib, re, sys
sys.path.insert(0, "tests")
from support.running_consumer import Store, running_consumer
from support.waiting import eventually
def most():
    # Not `getrusage`, which knows what the parent had.
    return int(re.findall(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[0]) // 1024
store = Store()
with running_consumer(sys.argv[1], store, largest=80_000):
    before = most()
    print("ready", flush=True)
    eventually(lambda: len(store.stored) == 1, timeout=60)
    print(most() - before)
"""


@pytest.mark.parametrize("kind", ["bombs", "oversize"])
def test_neither_decompression_bombs_nor_large_messages_use_much_memory(
    broker: Broker, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each bomb of 1.5 MB holds 1.5 GB; twenty messages of 10 MB wait at the same time."""
    process = subprocess.Popen([sys.executable, "-c", _CONSUMER, broker.url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        if kind == "bombs":
            bomb = gzip.compress(bytes(50_000_000)) * 30
            publish(broker, *[bomb] * 3, headers={"compression": "gzip"})
        else:
            publish(broker, *[b"x" * 10_000_000] * 20)
        publish(broker, message())
        growth = int(process.stdout.readline())
        with capsys.disabled():
            print(f"\n{kind}: {growth} MiB more")
        assert growth <= 48
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


HOSTILE_HEADERS: tuple[dict[str, Any], ...] = (
    {"x-reason": ["mine"], "x-death": [{"count": 1}], "a": None},
    {"CC": ["job"], "BCC": ["job"]},
    {"a" * 250: "b" * 30_000},
    {f"h{number}": number for number in range(2000)},
    {"compression": "gzip", "deep": {"a": {"b": [1, [2, [3]]]}}},
)


def test_a_dead_letter_can_always_be_written_and_read(broker: Broker) -> None:
    for headers in HOSTILE_HEADERS:
        publish(broker, b"no JSON", headers=headers, content_type="\u00fc" * 60)
    with running_consumer(broker.url, Store()):
        dead = take_all(broker, "job-dead-letter", len(HOSTILE_HEADERS))
        take_all(broker, "result", len(HOSTILE_HEADERS))
    take_all(broker, "job", 0)
    for letter in dead:
        # As a text where its reader decodes it.
        assert letter.body in ("no JSON", b"no JSON")
        assert letter.headers["x-reason"].startswith(("is not JSON", "the message is compressed"))
        assert len(letter.headers) <= 40
        assert len(json.dumps(letter.headers)) < 50_000


def test_a_dead_letter_of_any_other_value_can_be_written(broker: Broker) -> None:
    publisher = ResultPublisher(broker.url)
    nested: Any = 1
    for _ in range(5000):
        nested = [nested]
    for headers in ({1: 2}, {"a": object(), "b": nested, "c": b"\xff", "d": 10**400, "e": float("nan")}, [], 4):
        publisher.dead_letter(b"x", "\ud800" * 5000, content_type="\x00" * 500, content_encoding="x", headers=headers)  # type: ignore[arg-type]
    publisher.close()
    take_all(broker, "job-dead-letter", 4)


def test_readers_of_results_are_protected_in_the_same_way(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    good = result_message(uuid.uuid4(), "integer", "success", {"half": "a"}, None, None).replace(b'"a"', b'"\\ud800"')
    hostile: tuple[tuple[bytes, dict[str, Any]], ...] = (
        (gzip.compress(b"{}"), {"headers": {"compression": "gzip"}}),
        (good, {"content_encoding": "undefined"}),
        (b"[" * 100_000, {}),
        (b'{"job_id": [], "state": "success"}', {}),
        (b'{"job_id": "a", "state": 4}', {}),
        (b"9" * 10_000, {}),
        (b"x" * 5_000_000, {}),
        (good, {}),
    )
    queue = f"kept-{uuid.uuid4()}"
    with ChannelClient(broker.url, queue):
        pass
    with Connection(broker.url) as connection:
        producer = connection.Producer(connection.channel())
        for body, properties in hostile:
            options = {"content_type": "application/json", "content_encoding": "utf-8", **properties}
            producer.publish(body, exchange=topology.EXCHANGE, routing_key=topology.RESULT_KEY, **options)
    assert main(["listen", "--url", broker.url, "--queue", queue, "--count", "1", "--timeout", "20"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["result"] == {"half": "\ud800"}


def test_no_queue_can_have_the_name_of_a_key_of_the_transport(redis_broker: Broker, server: redis.Redis) -> None:
    import re

    from coinrequest.channel.redis_transport import Channel

    keys = [UNACKED_KEY, UNACKED_INDEX_KEY, Channel.keyprefix_queue % topology.EXCHANGE]
    keys += [Channel.keyprefix_binding_deadlines, Channel.keyprefix_binding_permanent % topology.EXCHANGE]
    for key in keys:
        assert not re.fullmatch(QUEUE_PATTERN.strip("^$"), key)
        assert not topology.QUEUE_NAME.fullmatch(key)
    store = Store()
    with running_consumer(redis_broker.url, store):
        publish(redis_broker, message())
        eventually(lambda: len(store.stored) == 1)
    queues = {topology.JOB_QUEUE, topology.RESULT_QUEUE, topology.DEAD_LETTER_QUEUE}
    for key in {key.decode() for key in server.keys()} - queues:  # noqa: SIM118 - a command of Redis
        assert not re.fullmatch(QUEUE_PATTERN.strip("^$"), key), key


@pytest.mark.parametrize(
    "queue",
    [
        *("job", "result", "job-dead-letter", "job-reader-x", "unacked", "unacked_index", "job-unacked-index"),
        *("_kombu.x", "coinrequest:channel:unacked", "a b", "\x00", "x" * 200, "", "job\x06\x163", "amq.x"),
    ],
)
def test_a_reader_cannot_use_the_name_of_a_queue_of_the_channel(queue: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The results for a reader named `job` would be read as jobs."""
    assert main(["listen", "--url", "redis://127.0.0.1:9/0", f"--queue={queue}"]) == 2
    assert "cannot be the name" in capsys.readouterr().err


def test_messages_held_by_a_gateway_of_an_older_release_are_not_lost(redis_broker: Broker, server: redis.Redis) -> None:
    """It stored kombu's envelope in an array, under the tag that the publisher chose."""
    ids = [uuid.uuid4() for _ in range(3)]
    publish(redis_broker, *map(message, ids))
    for number, noted in enumerate(server.lrange("job", 0, -1)):
        tag = ("usual", "with:colon", ":job")[number]
        form = b'[%s,"","job"]' if number else b'[%s, "", "job"]'
        server.hset("job-unacked", tag, form % noted)
        server.zadd("job-unacked-index", {tag: time.time() - 100})
    server.delete("job")
    server.hset("job-unacked", "held", b'[{},"","job"]')
    server.zadd("job-unacked-index", {"held": time.time() + 1000})
    store = Store()
    with running_consumer(redis_broker.url, store, visibility=60):
        eventually(lambda: store.stored == set(ids), timeout=30, what="they come again")
    # What the older gateway holds still is left to it.
    assert server.hkeys("job-unacked") == [b"held"]


def test_an_invalid_binding_does_not_stop_results(redis_broker: Broker, server: redis.Redis) -> None:
    publisher = ResultPublisher(redis_broker.url)
    publisher.publish_result(result_message(uuid.uuid4(), "integer", "success", None, None, None))
    server.sadd("_kombu.binding.job-exchange", "garbage", b"\xff\x06\x16")
    publisher.publish_result(result_message(uuid.uuid4(), "integer", "success", None, None, None))
    publisher.close()
    take_all(redis_broker, "result", 2)


def test_waiting_transfers_no_message(redis_broker: Broker, server: redis.Redis) -> None:
    """Redis sends little to a waiting gateway, however large the messages in its queue are."""
    store = Store()
    with running_consumer(redis_broker.url, store, largest=80_000):
        server.lpush("job", *[b"x" * 8_000_000] * 5)
        take_all(redis_broker, "job-dead-letter", 5)
    sent = int(server.info("stats")["total_net_output_bytes"])
    server.lpush("job", *[b"x" * 8_000_000] * 5)
    with running_consumer(redis_broker.url, store, largest=80_000):
        take_all(redis_broker, "job-dead-letter", 5)
    assert int(server.info("stats")["total_net_output_bytes"]) - sent < 1_000_000


def test_the_database_in_the_url_of_a_redis_is_recognised() -> None:
    assert _redis_database("redis://:secret@Host/0") == _redis_database("rediss://host:6379") == ("host", 6379, "0")
    assert (
        _redis_database("redis://host/2") == _redis_database("redis://host/?db=2") != _redis_database("redis://host/1")
    )
    assert _redis_database("amqp://host//") is None
