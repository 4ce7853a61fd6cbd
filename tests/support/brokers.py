"""The brokers of the channel, real ones, each started once for all tests that use it."""

import atexit
import functools
import signal
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import redis
from kombu import Connection, Queue

from coinrequest.channel import topology
from coinrequest.stack.servers import redis_binary
from support.ports import free_ports
from support.rabbitmq import end_guarded, rabbitmq, start_guarded
from support.waiting import eventually

BROKERS = ("redis", "rabbitmq")

_at_exit = ExitStack()
atexit.register(_at_exit.close)


class Broker(Protocol):
    """A broker that can be away for a while; what is durable survives."""

    @property
    def url(self) -> str: ...

    @property
    def running(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...


class RedisBroker:
    """A Redis server that writes everything to its file.

    Args:
        folder: where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (self._port,) = free_ports(1)
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def running(self) -> bool:
        return self._server is not None

    def start(self) -> None:
        command = [str(redis_binary()), "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(self._folder), "--appendonly", "yes", "--appendfsync", "always"]
        self._server = start_guarded(command, stdout=subprocess.DEVNULL)
        eventually(self._answers, what="Redis answers")

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        server, self._server = self._server, None
        if server is not None:
            end_guarded(server, number)


@functools.cache
def shared_broker(kind: str) -> Broker:
    """Return the broker of a kind, started at the first call."""
    if kind == "rabbitmq":
        return _at_exit.enter_context(rabbitmq())
    folder = _at_exit.enter_context(tempfile.TemporaryDirectory(prefix="coinrequest-broker-"))
    broker = RedisBroker(Path(folder))
    broker.start()
    _at_exit.callback(broker.kill)
    return broker


def empty(broker: Broker) -> None:
    """Take all queues of the channel away, so that no test sees another's messages."""
    if broker.url.startswith("redis"):
        with redis.Redis.from_url(broker.url) as client:
            client.flushall()
        return
    with Connection(broker.url) as connection, connection.channel() as channel:
        for name in (topology.JOB_QUEUE, topology.RESULT_QUEUE, topology.DEAD_LETTER_QUEUE):
            Queue(name)(channel).delete()
        topology.declare(channel)


def take_all(broker: Broker, queue: str, wanted: int, timeout: float = 20.0) -> list[Any]:
    """Return `wanted` messages of a queue, as kombu's messages, and acknowledge them; then make sure it is empty."""
    found: list[Any] = []
    with Connection(broker.url) as connection, connection.channel() as channel:

        def take() -> bool:
            message = Queue(queue)(channel).get()
            if message is not None:
                message.ack()
                found.append(message)
            return len(found) >= wanted

        eventually(take, timeout=timeout, interval=0.005, what=f"{wanted} messages in {queue}")
        extra = Queue(queue)(channel).get()
        assert extra is None, f"one more than {wanted} in {queue}: {extra.body!r}"
    return found


def publish(broker: Broker, *bodies: str | bytes, **properties: Any) -> None:
    """Publish messages under the key `job`, as a program that knows the documented exchange and no more."""
    with Connection(
        broker.url, transport_options={} if "redis" in broker.url else {"confirm_publish": True}
    ) as connection:
        channel = connection.channel()
        topology.job_queue(channel).declare()
        producer = connection.Producer(channel)
        for body in bodies:
            producer.publish(
                body,
                exchange=topology.EXCHANGE,
                routing_key=topology.JOB_KEY,
                **{"content_type": "application/json", "content_encoding": "utf-8", "delivery_mode": 2, **properties},
            )
