"""A client of the channel: it submits jobs, and follows results on a queue of its own."""

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
    """Submits jobs and reads results. Its queue is there before the first job is submitted, so no result is missed.

    Every reader gets every result, and picks its own by the job's id. A result may come twice.

    Args:
        url: of the broker.
        queue: the name of a queue of results that is kept while nobody reads it; None: a private one, which goes
            with this client.

    Raises:
        QueueNameInvalid: no queue of results can have this name.
    """

    def __init__(self, url: str, queue: str | None = None) -> None:
        self._url = url
        self._private = queue is None
        self._queue = topology.reader_queue(queue)
        self._connection: Any = None
        self._producer: Any = None
        self._waiting: list[Any] = []
        self._handed: Any = None

    def __enter__(self) -> Self:
        """Connect, and make the queue.

        Raises:
            ChannelUnavailable: the broker is not reached.
        """
        self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection; a private queue is removed."""
        self._acknowledge()
        try:
            if self._private and self._connection is not None:
                self._queue(self._connection.default_channel).delete()
        except self._errors():
            pass  # it goes some minutes later
        finally:
            self._disconnect()

    def submit(self, job_type: str, params: Mapping[str, Any], job_id: UUID | None = None) -> UUID:
        """Publish a job, and return its id when the broker has it. The same id again is the same job.

        Raises:
            ChannelUnavailable: the broker did not confirm it; it may have it all the same.
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
        """Yield results as they come, for so many seconds; None: for ever. A broker that goes away is waited for."""
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        backoff = Backoff()
        while True:
            self._acknowledge()
            while self._waiting:
                self._handed = self._waiting.pop(0)
                result = _read(self._handed)
                if result is not None:
                    yield result
                self._acknowledge()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            try:
                if self._connection is None:
                    self._connect()
                backoff.reset()
                self._connection.drain_events(timeout=min(left, _POLL_SECONDS))
            except TimeoutError:
                continue
            except self._errors():
                self._disconnect()
                time.sleep(min(backoff.next(), max(left, 0.0)))

    def _connect(self) -> None:
        connection = connect(self._url, name="coinrequest channel")
        try:
            channel = connection.default_channel
            # No more than an account of a publisher may: the queues of the gateways are none of its business.
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
        # What was not acknowledged comes again.
        self._waiting.clear()
        self._handed = None
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            try:
                connection.release()
            except broker_errors(connection):
                pass

    def _acknowledge(self) -> None:
        """Acknowledge the result that was handed out last: whoever asks for the next, or ends, is done with it."""
        message, self._handed = self._handed, None
        try:
            if message is not None:
                message.ack()
        except self._errors():
            self._disconnect()

    def _errors(self) -> tuple[type[BaseException], ...]:
        return (OSError,) if self._connection is None else broker_errors(self._connection)


def _unavailable(error: BaseException) -> ChannelUnavailable:
    return ChannelUnavailable(f"the broker is not reached: {type(error).__name__}: {without_password(error)}")


def _read(message: Any) -> dict[str, Any] | None:
    """Return a result; None: somebody else published something else under this key."""
    if getattr(message, "fault", None):
        return None
    try:
        found = json.loads(message.body)
    except (ValueError, RecursionError):
        return None
    readable = isinstance(found, dict) and "job_id" in found and isinstance(found.get("state"), str)
    return found if readable and isinstance(found["job_id"], str | None) else None
