"""A program that sends jobs over the broker and waits for results; it knows the documented messages and no more."""

import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kombu import Connection, Exchange, Queue

EXCHANGE = Exchange("job-exchange", type="direct", durable=True)


class UserInterface:
    """One submitter with a queue of results, from which it picks its own.

    Args:
        url: of the broker.
        inbox: the name of a queue that keeps results while nobody reads them; None: a private one, gone at the end.
    """

    def __init__(self, url: str, inbox: str | None = None) -> None:
        self._connection = Connection(url, transport_options={"socket_timeout": 10, "confirm_publish": True})
        self._channel = self._connection.channel()
        jobs = Queue("job", EXCHANGE, routing_key="job", durable=True)
        if inbox is None:
            private = f"user-interface-{uuid.uuid4().hex}"
            results = Queue(private, EXCHANGE, routing_key="result", durable=False, auto_delete=True, expires=600)
        else:
            results = Queue(inbox, EXCHANGE, routing_key="result", durable=True)
        for queue in (jobs, results):
            queue(self._channel).declare()
        self.results: list[dict[str, Any]] = []
        self._consumer = self._connection.Consumer(results, callbacks=[self._take], channel=self._channel)
        self._consumer.consume()
        self._producer = self._connection.Producer(self._channel)

    def publish(self, body: str | bytes | dict[str, Any]) -> None:
        """Publish one message under the key `job`, as it is."""
        text = json.dumps(body) if isinstance(body, dict) else body
        self._producer.publish(
            text,
            exchange=EXCHANGE,
            routing_key="job",
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=2,
        )

    def submit(self, value: int, job_type: str = "integer", job_id: str | None = None) -> str:
        """Publish an integer job in the short form; return its id."""
        job_id = job_id or str(uuid.uuid4())
        self.publish({"job_id": job_id, "job_payload": {"type": job_type, "value": value}})
        return job_id

    def wait_for(self, *job_ids: str, timeout: float = 60.0) -> list[dict[str, Any]]:
        """Wait until each of these jobs has a result; return their results in the order of their coming."""
        deadline = time.monotonic() + timeout
        while set(job_ids) - {result["job_id"] for result in self.results}:
            assert time.monotonic() < deadline, f"no result of {set(job_ids)} within {timeout:g} s: {self.results}"
            self.listen(0.5)
        return [result for result in self.results if result["job_id"] in job_ids]

    def listen(self, seconds: float) -> None:
        """Take what comes within some time."""
        try:
            self._connection.drain_events(timeout=seconds)
        except TimeoutError:
            return

    def close(self) -> None:
        # A connection that is broken has nothing left to cancel.
        with contextlib.suppress(*self._connection.connection_errors):
            self._consumer.cancel()
        self._connection.release()

    def _take(self, body: Any, message: Any) -> None:
        self.results.append(json.loads(body) if isinstance(body, str | bytes) else body)
        message.ack()


@contextmanager
def user_interface(url: str, inbox: str | None = None) -> Iterator[UserInterface]:
    """Connect a submitter; without an inbox its queue is gone when the block ends."""
    program = UserInterface(url, inbox)
    try:
        yield program
    finally:
        program.close()
