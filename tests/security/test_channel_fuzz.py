"""Ten thousand hostile messages to a real gateway: the same process then stores a hundred good ones, in little memory.

`COINREQUEST_FUZZ_SEED` repeats a run; a failure says the seed and what the gateway had in hand.
"""

import contextlib
import json
import os
import re
import struct
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
import redis
from kombu import Connection
from sqlalchemy import text
from starlette.testclient import TestClient
from support import api_environment as environment
from support.brokers import BROKERS, Broker, empty, publish, shared_broker
from support.hostile_messages import Hostile, good, hostile_messages
from support.waiting import eventually

from coinrequest.channel import topology
from coinrequest.channel.redis_transport import UNACKED_KEY

pytestmark = pytest.mark.security

COUNT, CHUNK, GOOD = 10_000, 250, 100
# Read before the fixtures put an environment of their own in its place.
SEED = int(os.environ.get("COINREQUEST_FUZZ_SEED") or SystemRandom().randrange(2**32))
# MiB that the process may grow by; what Python's allocator keeps after the largest batch is in it.
GROWTH = 96


class Gateway:
    """A gateway's process."""

    def __init__(self, folder: Path, url: str) -> None:
        self._log = folder / "gateway.log"
        with self._log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "coinrequest.cli", "gateway"],
                env={**os.environ, "COINREQUEST_CHANNEL_URL": url},
                stdout=output,
                stderr=output,
            )

    def logged(self) -> str:
        return self._log.read_text(errors="replace")

    def alive(self) -> bool:
        return self.process.poll() is None

    def memory(self) -> int:
        """Return the resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) // 1024

    def most_memory(self) -> int:
        """Return the largest resident memory that it ever had, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) // 1024


@contextmanager
def gateway(folder: Path, url: str) -> Iterator[Gateway]:
    found = Gateway(folder, url)
    try:
        eventually(lambda: "The channel is connected" in found.logged(), timeout=120, what="the gateway is there")
        yield found
    finally:
        found.process.kill()
        found.process.wait()


@pytest.fixture(scope="module")
def job_type(op: TestClient) -> str:
    found = f"s-{uuid.uuid4().hex[:12]}"
    document = environment.definition(found, params={"type": "object"})
    assert op.post("/jobs/v1/job-types", json=document).status_code == 201
    return found


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Broker:
    found = shared_broker(request.param)
    empty(found)
    return found


class RedisPublisher:
    """Writes what no client would into the list of Redis."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)

    def send(self, messages: Sequence[Hostile]) -> None:
        with self._client.pipeline(transaction=False) as pipe:
            for message in messages:
                pipe.lpush(topology.JOB_QUEUE, message.envelope())
            pipe.execute()

    def left(self) -> int:
        """Return how many messages are not handled."""
        return int(self._client.llen(topology.JOB_QUEUE)) + int(self._client.hlen(UNACKED_KEY))

    def close(self) -> None:
        self._client.close()


class AmqpPublisher:
    """Sends what RabbitMQ lets pass."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connect()

    def _connect(self) -> None:
        self._connection = Connection(self._url)
        self._channel = self._connection.channel()

    def send(self, messages: Sequence[Hostile]) -> None:
        for message in messages:
            try:
                prepared = _for_amqp(self._channel, message)
                self._channel.basic_publish(prepared, exchange=topology.EXCHANGE, routing_key=topology.JOB_KEY)
                self.left()
            except (*self._connection.connection_errors, *self._connection.channel_errors):
                # What the broker refuses at once, such as an expiration that is no number.
                self.close()
                self._connect()

    def left(self) -> int:
        """Return how many messages no gateway has taken."""
        return int(self._channel.queue_declare(topology.JOB_QUEUE, passive=True).message_count)

    def close(self) -> None:
        with contextlib.suppress(*self._connection.connection_errors, *self._connection.channel_errors):
            self._connection.release()


def _for_amqp(channel: Any, message: Hostile) -> Any:
    names = ("priority", "reply_to", "correlation_id", "expiration")
    body = message.envelope() if message.raw is not None else message.body
    try:
        found = channel.prepare_message(
            body,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers=message.headers if isinstance(message.headers, dict) else {"x": message.headers},
            properties={name: value for name, value in message.properties.items() if name in names},
        )
        found._serialize_properties()
    except (ValueError, TypeError, AttributeError, struct.error, RecursionError, OverflowError):
        # What AMQP has no bytes for.
        return channel.prepare_message(body, content_type="application/json", headers={"compression": 4})
    return found


def _stored(ids: Sequence[str]) -> int:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        found = session.execute(
            text("SELECT count(*) FROM coinrequest_job WHERE id = ANY(CAST(:ids AS uuid[]))"), {"ids": ids}
        )
        return int(found.scalar_one())


def test_no_message_stops_the_gateway_or_fills_its_memory(
    broker: Broker, job_type: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher = (RedisPublisher if broker.url.startswith("redis") else AmqpPublisher)(broker.url)
    messages = hostile_messages(SEED, COUNT, job_type)
    with contextlib.closing(publisher), gateway(tmp_path, broker.url) as running:
        before = 0
        while chunk := list(islice(messages, CHUNK)):
            publisher.send(chunk)

            def done() -> bool:
                assert running.alive(), "the gateway ended"
                return publisher.left() == 0

            try:
                eventually(done, timeout=60, interval=0.02, what="the messages are handled")
            except AssertionError as error:
                shown = "\n".join(repr(one)[:200] for one in chunk)
                raise AssertionError(f"seed {SEED}: {error}\n{running.logged()[-3000:]}\n{shown}") from None
            # With everything loaded that refusals need.
            before = before or running.memory()
        ids = [str(uuid.uuid4()) for _ in range(GOOD)]
        publish(broker, *(json.dumps(good(job_type, job_id)) for job_id in ids))
        eventually(lambda: _stored(ids) == GOOD, timeout=60, what="the good ones are stored")
        assert running.alive()
        after, most = running.memory(), running.most_memory()
        with capsys.disabled():
            print(f"\nseed {SEED}: {COUNT} messages, {before} MiB before, {after} MiB after, {most} MiB at most")
        assert most - before <= GROWTH, f"seed {SEED}: {before} MiB grew to {most} MiB"
        assert "Traceback" not in running.logged()
