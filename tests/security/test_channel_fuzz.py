"""Ten thousand hostile messages to a real gateway: the same process then stores a hundred good ones, in little memory.

`COINREQUEST_FUZZ_SEED` repeats a run; a failure says the seed and what the gateway had in hand.
"""

import json
import os
import re
import struct
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import SystemRandom

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

COUNT, CHUNK, GOOD = 10_000, 250, 100
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


def _to_redis(broker: Broker) -> tuple[Callable[[Sequence[Hostile]], None], Callable[[], int]]:
    client = redis.Redis.from_url(broker.url)

    def send(messages: Sequence[Hostile]) -> None:
        with client.pipeline(transaction=False) as pipe:
            for message in messages:
                pipe.lpush(topology.JOB_QUEUE, message.envelope())
            pipe.execute()

    return send, lambda: int(client.llen(topology.JOB_QUEUE)) + int(client.hlen(UNACKED_KEY))


def _to_rabbitmq(broker: Broker) -> tuple[Callable[[Sequence[Hostile]], None], Callable[[], int]]:
    connection = Connection(broker.url)
    channels = [connection.channel()]

    def send(messages: Sequence[Hostile]) -> None:
        for message in messages:
            body = message.envelope() if message.raw is not None else message.body
            headers = message.headers if isinstance(message.headers, dict) else {"x": message.headers}
            names = ("priority", "reply_to", "correlation_id", "expiration")
            properties = {name: value for name, value in message.properties.items() if name in names}
            try:
                raw = channels[0].prepare_message(
                    body,
                    content_type=message.content_type,
                    content_encoding=message.content_encoding,
                    headers=headers,
                    properties=properties,
                )
                raw._serialize_properties()
            except (ValueError, TypeError, AttributeError, struct.error, RecursionError, OverflowError):
                # What AMQP has no bytes for.
                raw = channels[0].prepare_message(body, content_type="application/json", headers={"compression": 4})
            try:
                channels[0].basic_publish(raw, exchange=topology.EXCHANGE, routing_key=topology.JOB_KEY)
                channels[0].queue_declare(topology.JOB_QUEUE, passive=True)
            except (*connection.connection_errors, *connection.channel_errors):
                # What the broker refuses at once, such as an expiration that is no number.
                connection.close()
                channels[0] = connection.channel()

    def left() -> int:
        return int(channels[0].queue_declare(topology.JOB_QUEUE, passive=True).message_count)

    return send, left


def _stored(ids: Sequence[str]) -> int:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        found = session.execute(
            text("SELECT count(*) FROM coinrequest_job WHERE id = ANY(CAST(:ids AS uuid[]))"), {"ids": ids}
        )
        return int(found.scalar_one())


def test_no_message_whatsoever_ends_the_gateway_or_takes_its_memory(
    broker: Broker, job_type: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("COINREQUEST_FUZZ_SEED") or SystemRandom().randrange(2**32))
    send, left = (_to_redis if broker.url.startswith("redis") else _to_rabbitmq)(broker)
    messages = hostile_messages(seed, COUNT, job_type)
    with gateway(tmp_path, broker.url) as running:
        before = 0
        while chunk := list(islice(messages, CHUNK)):
            send(chunk)

            def done() -> bool:
                assert running.alive(), f"the gateway ended: {running.logged()[-3000:]}"
                return left() == 0

            try:
                eventually(done, timeout=60, interval=0.02, what="the messages are handled")
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}\n{[repr(one)[:500] for one in chunk]}") from None
            # With everything loaded that refusals need.
            before = before or running.memory()
        ids = [str(uuid.uuid4()) for _ in range(GOOD)]
        publish(broker, *(json.dumps(good(job_type, job_id)) for job_id in ids))
        eventually(lambda: _stored(ids) == GOOD, timeout=60, what="the good ones are stored")
        assert running.alive()
        after, most = running.memory(), running.most_memory()
        with capsys.disabled():
            print(f"\nseed {seed}: {COUNT} messages, {before} MiB before, {after} MiB after, {most} MiB at most")
        assert most - before <= GROWTH, f"seed {seed}: {before} MiB grew to {most} MiB"
        assert "Traceback" not in running.logged()
