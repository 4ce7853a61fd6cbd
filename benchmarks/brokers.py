"""The brokers of the message channel, and a program that publishes jobs and waits for their results."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from kombu import Connection, Exchange, Queue

from benchmarks import rabbitmq
from benchmarks.context import Context
from benchmarks.measure import GaveUp, say, wait_for
from coinrequest.stack import Stack
from coinrequest.stack.layout import project_root

_EXCHANGE = Exchange("job-exchange", type="direct", durable=True)
_READY = "Gateway is ready"


def installed() -> tuple[str, ...]:
    """Return the brokers that can be measured here."""
    if rabbitmq.program():
        return "redis", "rabbitmq"
    say("RabbitMQ is not installed: only Redis is measured")
    return ("redis",)


@contextmanager
def channel(context: Context, broker: str) -> Iterator[str]:
    """Let one gateway of our stack serve a broker; return the broker's URL."""
    stack = context.stacks.ours()
    if broker == "redis":
        yield stack.channel_url
        return
    with rabbitmq.running() as url:
        with Connection(url) as connection:
            context.results.describe(RabbitMQ=connection.connection.server_properties["version"])
        with _gateway(stack, url, context.stacks.folder("logs") / "gateway-rabbitmq.log"):
            yield url


@contextmanager
def _gateway(stack: Stack, url: str, log: Path) -> Iterator[None]:
    """Run a gateway on another broker in the place of the stack's own."""
    stack.stop_process("gateway")
    command = [str(Path(sys.executable).parent / "coinrequest"), "gateway"]
    environment = stack.environment("gateway") | {"COINREQUEST_CHANNEL_URL": url}
    try:
        with log.open("w") as output:
            child = subprocess.Popen(command, cwd=project_root(), env=environment, stdout=output, stderr=output)
            try:
                wait_for("the gateway", lambda: _ready(child, log), timeout=60, interval=0.1)
                yield
            finally:
                child.terminate()
                try:
                    child.wait(30)
                except subprocess.TimeoutExpired:
                    child.kill()
    finally:
        stack.start_process("gateway")


def _ready(child: "subprocess.Popen[bytes]", log: Path) -> bool:
    if child.poll() is not None:
        raise GaveUp(f"the gateway ended with {child.returncode}:\n{log.read_text()[-1500:]}")
    return _READY in log.read_text()


class Program:
    """Publishes jobs and takes results from a queue of its own, as any program at the channel may.

    Args:
        url: the broker.
    """

    def __init__(self, url: str) -> None:
        self._connection = Connection(url)
        self._results: dict[str, dict[str, Any]] = {}
        channel = self._connection.channel()
        jobs = Queue("job", _EXCHANGE, routing_key="job", durable=True)
        results = Queue(f"benchmark-{uuid4().hex}", _EXCHANGE, routing_key="result", durable=False, auto_delete=True)
        jobs(channel).declare()
        self._producer = self._connection.Producer(channel)
        self._consumer = self._connection.Consumer(results, callbacks=[self._take], channel=channel)
        self._consumer.consume()

    def publish(self, message: dict[str, Any]) -> None:
        """Publish one job."""
        self._producer.publish(
            json.dumps(message),
            exchange=_EXCHANGE,
            routing_key="job",
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=2,
        )

    def result_of(self, job_id: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait for the result of a job and return it.

        Raises:
            GaveUp: none came in time.
        """
        deadline = time.monotonic() + timeout
        while job_id not in self._results:
            if time.monotonic() > deadline:
                raise GaveUp(f"no result of job {job_id} within {timeout:.0f} s")
            try:
                self._connection.drain_events(timeout=1.0)
            except TimeoutError:
                continue
        return self._results.pop(job_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.cancel()
        self._connection.release()

    def _take(self, body: Any, message: Any) -> None:
        result = json.loads(body) if isinstance(body, str | bytes) else body
        self._results[result["job_id"]] = result
        message.ack()
