"""A client of the channel, which submits jobs and reads results from its own queue."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self
from uuid import UUID, uuid4

from coinrequest.backoff import Backoff
from coinrequest.channel import topology
from coinrequest.channel.connection import ChannelUnavailable, broker_errors, connect, without_password
from coinrequest.channel.messages import CONTENT_ENCODING, CONTENT_TYPE, job_message

_POLL_SECONDS = 1.0
_CONFIRM_SECONDS = 10.0


class ChannelClient:
    """Submits jobs and reads results. Its queue exists before the first job is submitted, so it misses no result.

    Every client receives all results, and selects its own by the job id. A result may be delivered twice.

    Args:
        url: the URL of the broker.
        queue: the name of a result queue that is kept when no client reads it; None for a private queue, which is
            deleted with this client.

    Raises:
        QueueNameInvalid: a result queue cannot have this name.
    """

    def __init__(self, url: str, queue: str | None = None) -> None:
        self._url = url
        self._private = queue is None
        self._queue = topology.reader_queue(queue)
        self._connection: Any = None
        self._producer: Any = None
        self._waiting: list[Any] = []
        self._yielded: Any = None

    def __enter__(self) -> Self:
        """Connect, and declare the queue.

        Raises:
            ChannelUnavailable: the broker cannot be reached.
        """
        self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        """Delete a private queue, and close the connection."""
        self._acknowledge()
        try:
            if self._private and self._connection is not None:
                self._queue(self._connection.default_channel).delete()
        except self._errors():
            pass  # the queue expires some minutes later
        finally:
            self._disconnect()

    def submit(self, job_type: str, params: Mapping[str, Any], job_id: UUID | None = None) -> UUID:
        """Publish a job, and return its id once the broker has confirmed it. The same id always means the same job.

        Raises:
            ChannelUnavailable: the broker did not confirm the job, but may have received it.
        """
        job_id = job_id or uuid4()
        if self._connection is None:
            self._connect()
        try:
            self._producer.publish(
                job_message(job_id, job_type, params),
                exchange=topology.EXCHANGE,
                routing_key=topology.JOB_KEY,
                content_type=CONTENT_TYPE,
                content_encoding=CONTENT_ENCODING,
                delivery_mode=2,
                confirm_timeout=_CONFIRM_SECONDS,
            )
        except broker_errors(self._connection) as error:
            self._disconnect()
            raise _unavailable(error) from error
        return job_id

    def results(self, seconds: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield results for a number of seconds, or forever if it is None. It reconnects if the connection is lost."""
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        backoff = Backoff()
        while True:
            self._acknowledge()
            while self._waiting:
                self._yielded = self._waiting.pop(0)
                result = _parse_result(self._yielded)
                if result is not None:
                    yield result
                self._acknowledge()
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return
            try:
                if self._connection is None:
                    self._connect()
                backoff.reset()
                self._connection.drain_events(timeout=min(remaining, _POLL_SECONDS))
            except TimeoutError:
                continue
            except self._errors():
                self._disconnect()
                time.sleep(min(backoff.next(), max(remaining, 0.0)))

    def _connect(self) -> None:
        connection = connect(self._url, name="coinrequest channel")
        try:
            channel = connection.default_channel
            # A publisher may have no access to the other queues, which belong to the gateways.
            for queue in (topology.job_queue, self._queue):
                queue(channel).declare()
            consumer = connection.Consumer(
                [self._queue], channel=channel, auto_declare=False, on_message=self._waiting.append
            )
            consumer.consume()
        except broker_errors(connection) as error:
            connection.release()
            raise _unavailable(error) from error
        self._connection, self._producer = connection, connection.Producer(channel)

    def _disconnect(self) -> None:
        # Results that are not acknowledged are delivered again.
        self._waiting.clear()
        self._yielded = None
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            try:
                connection.release()
            except broker_errors(connection):
                pass

    def _acknowledge(self) -> None:
        """Acknowledge the last yielded result: the caller is done with it when it asks for the next one or exits."""
        message, self._yielded = self._yielded, None
        try:
            if message is not None:
                message.ack()
        except self._errors():
            self._disconnect()

    def _errors(self) -> tuple[type[BaseException], ...]:
        return (OSError,) if self._connection is None else broker_errors(self._connection)


def _unavailable(error: BaseException) -> ChannelUnavailable:
    return ChannelUnavailable(f"the broker cannot be reached: {type(error).__name__}: {without_password(error)}")


def _parse_result(message: Any) -> dict[str, Any] | None:
    """Return the result in a message; None if the message is not a result."""
    if getattr(message, "fault", None):
        return None
    try:
        found = json.loads(message.body)
    except (ValueError, RecursionError):
        return None
    is_result = isinstance(found, dict) and "job_id" in found and isinstance(found.get("state"), str)
    return found if is_result and isinstance(found["job_id"], str | None) else None
