"""A minimal user interface: submits integer jobs over the broker, and waits for its own results.

It stands for somebody else's program: it knows the messages of docs/reference/channel.md, and nothing of the platform.
`COINREQUEST_CHANNEL_URL` names the broker, RabbitMQ or Redis. Its argument is a file, which it touches while the broker
answers. It writes a line for each job, and for each result with the seconds that took.
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
        alive: touched while the broker answers.
    """

    def __init__(self, alive: Path) -> None:
        self._alive = alive
        self._submitted: dict[str, float] = {}

    def run(self, url: str) -> None:
        """Work on one connection until it breaks.

        Raises:
            OSError, or another of the connection's errors: the broker cannot be reached.
        """
        with Connection(url, transport_options={"socket_timeout": 10}) as connection:
            channel = connection.channel()
            JOBS(channel).declare()
            # Its own queue, deleted with the connection. It is bound before a job is published, so it misses no result.
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
        say(f"job {job} submitted: {value} s of work")

    def _take(self, message: Message) -> None:
        message.ack()
        try:
            # Anybody who can reach the exchange may publish a "result", so kombu must not decode it.
            result = json.loads(message.body) if not message.errors else {}
            began = self._submitted.pop(str(result["job_id"]), None)
            outcome = result["error"] or (result["result"] or {}).get("message")
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            say("ignored a message that is not a result")
            return
        if began is not None:
            say(f"job {result['job_id']} {result['state']} after {time.monotonic() - began:.1f} s: {outcome}")


def _refuse(_body: bytes) -> bytes:
    raise ValueError("results are never compressed")


def say(line: str) -> None:
    """Write one line, and flush it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(alive: Path) -> None:
    """Work, and reconnect after errors, until the process is ended."""
    url = os.environ["COINREQUEST_CHANNEL_URL"]
    program = UserInterface(alive)
    for algorithm in compression.encoders():
        compression.register(_refuse, _refuse, algorithm)
    errors = Connection(url).connection_errors + Connection(url).channel_errors
    while True:
        try:
            program.run(url)
        except errors as error:
            say(f"the broker does not answer, trying again: {error}")
            time.sleep(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main(Path(sys.argv[1]))
