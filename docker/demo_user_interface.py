"""A minimal user interface, which submits integer jobs over the broker and waits for their results.

It is an example of an external program: it uses the messages of docs/reference/channel.md, and nothing else of the
platform. `COINREQUEST_CHANNEL_URL` is the URL of the broker, RabbitMQ or Redis. The argument is a file that it touches
while the broker responds. It writes a line for each job, and for each result with the seconds since the submission.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time
import uuid
from pathlib import Path

from kombu import Connection, Consumer, Exchange, Message, Producer, Queue, compression

EXCHANGE = Exchange("job-exchange", type="direct", durable=True)
JOBS = Queue("job", EXCHANGE, routing_key="job", durable=True)
PAUSE_SECONDS = 10.0
LONGEST_SECONDS = 5


class UserInterface:
    """Submits a job every few seconds, and remembers its own jobs until their results arrive.

    Args:
        alive: the file to touch while the broker responds.
    """

    def __init__(self, alive: Path) -> None:
        self._alive = alive
        self._submitted: dict[str, float] = {}

    def run(self, url: str) -> None:
        """Submit jobs over one connection until it is lost.

        Raises:
            OSError, or another of the connection's errors: the broker cannot be reached.
        """
        with Connection(url, transport_options={"socket_timeout": 10}) as connection:
            channel = connection.channel()
            JOBS(channel).declare()
            # Its own queue, deleted with the connection. It is bound before a job is published, so it gets all results.
            own = Queue(
                f"user-interface-{uuid.uuid4().hex}", EXCHANGE, routing_key="result", auto_delete=True, expires=600
            )
            producer = Producer(channel)
            with Consumer(channel, [own], on_message=self._take):
                while True:
                    self._publish(producer)
                    next_job = time.monotonic() + PAUSE_SECONDS
                    while time.monotonic() < next_job:
                        self._alive.touch()
                        with contextlib.suppress(TimeoutError):
                            connection.drain_events(timeout=1)

    def _publish(self, producer: Producer) -> None:
        job, value = str(uuid.uuid4()), random.randint(1, LONGEST_SECONDS)  # noqa: S311 - not a secret
        self._submitted[job] = time.monotonic()
        body = {"job_id": job, "job_payload": {"type": "integer", "value": value}}
        producer.publish(body, exchange=EXCHANGE, routing_key="job", serializer="json", delivery_mode=2)
        write_line(f"job {job} submitted: {value} s of work")

    def _take(self, message: Message) -> None:
        message.ack()
        try:
            # Any client of the exchange could publish a "result", so kombu must not decode it.
            result = json.loads(message.body) if not message.errors else {}
            began = self._submitted.pop(str(result["job_id"]), None)
            outcome = result["error"] or (result["result"] or {}).get("message")
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            write_line("ignored a message that is not a result")
            return
        if began is not None:
            write_line(f"job {result['job_id']} {result['state']} after {time.monotonic() - began:.1f} s: {outcome}")


def _refuse(_body: bytes) -> bytes:
    raise ValueError("results are never compressed")


def write_line(line: str) -> None:
    """Write a line, and flush it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(alive: Path) -> None:
    """Submit jobs, and reconnect after errors, until the process is stopped."""
    url = os.environ["COINREQUEST_CHANNEL_URL"]
    program = UserInterface(alive)
    for algorithm in compression.encoders():
        compression.register(_refuse, _refuse, algorithm)
    errors = Connection(url).connection_errors + Connection(url).channel_errors
    while True:
        try:
            program.run(url)
        except errors as error:
            write_line(f"the broker does not respond, trying again: {error}")
            time.sleep(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main(Path(sys.argv[1]))
