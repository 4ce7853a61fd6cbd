"""Consumes job messages from the channel, and holds those that have to wait for the database."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Generic

from coinrequest.backoff import Backoff
from coinrequest.channel import topology
from coinrequest.channel.connection import (
    LARGEST_MESSAGE,
    VISIBILITY_SECONDS,
    broker_errors,
    connect,
    is_amqp,
    without_password,
)
from coinrequest.channel.publisher import ResultPublisher
from coinrequest.gateway.handler import Delivery, Handler, Job
from coinrequest.gateway.outcomes import MessageRefused, Outcome
from coinrequest.gateway.status import ChannelStatus

log = logging.getLogger(__name__)

# The most unacknowledged messages that a gateway holds; also the largest batch.
PREFETCH = 100
_HEARTBEAT_SECONDS = 20
# Seconds after which an idle consumer checks whether it should stop.
_POLL_SECONDS = 0.5
# Seconds that a batch waits for another message.
_GATHER_SECONDS = 0.002


class Consumer(Generic[Job]):
    """Consumes messages until it is stopped, and reconnects to the broker.

    Args:
        url: the URL of the broker.
        parse: returns the job that a message requests, from its body and content type, or raises `MessageRefused`.
        store: stores jobs, commits, and returns an outcome for each.
        publisher: publishes the refusals.
        status: tracks the connection to the broker, and the messages that wait.
        prefetch: the most unacknowledged messages.
        visibility: seconds after which Redis redelivers a message that a killed gateway held.
        largest: the most bytes of a message; a larger one is refused without reading it whole.
    """

    def __init__(
        self,
        url: str,
        parse: Callable[[bytes, str | None], Job],
        store: Callable[[Sequence[Job]], Sequence[Outcome]],
        publisher: ResultPublisher,
        status: ChannelStatus,
        *,
        prefetch: int = PREFETCH,
        visibility: float = VISIBILITY_SECONDS,
        largest: int = LARGEST_MESSAGE,
    ) -> None:
        self._url = url
        self._parse = parse
        self._handler = Handler(store, publisher, status)
        self._status = status
        self._prefetch = prefetch
        self._visibility = visibility
        self._largest = largest
        self._reconnect = Backoff()

    def run(self, stop: threading.Event) -> None:
        """Consume messages until `stop` is set; those that still wait go back to the broker."""
        while not stop.is_set():
            connection = connect(
                self._url,
                name="coinrequest gateway",
                heartbeat=_HEARTBEAT_SECONDS,
                visibility=self._visibility,
                largest=self._largest,
            )
            try:
                with connection:
                    self._serve(connection, stop)
            except broker_errors(connection) as error:
                self._status.set_disconnected(f"{type(error).__name__}: {without_password(error)}")
                stop.wait(self._reconnect.next())
            except Exception as error:
                # A bug here or in kombu. Notices are still delivered, and the messages go back to the broker.
                log.exception("The consumer failed; reconnecting")
                self._status.set_disconnected(f"the consumer failed: {type(error).__name__}: {without_password(error)}")
                stop.wait(self._reconnect.next())

    def _serve(self, connection: Any, stop: threading.Event) -> None:
        channel = connection.channel()
        topology.declare(channel)
        channel.basic_qos(0, self._prefetch, False)
        waiting: list[Delivery[Job]] = []
        consumer = connection.Consumer(
            [topology.job_queue],
            channel=channel,
            auto_declare=False,
            on_message=lambda message: waiting.append(self._delivery(message)),
            on_decode_error=lambda message, error: waiting.append(_undecodable(message, error)),
        )
        consumer.consume()
        retries, due = Backoff(), 0.0
        while not stop.is_set():
            self._gather(connection, waiting, due)
            self._update_status(getattr(channel, "refusal", ""))
            if waiting and time.monotonic() >= due:
                postponed = self._handler.handle(waiting)
                # In place, because `on_message` appends to this list.
                waiting[:] = postponed
                if postponed:
                    due = time.monotonic() + retries.next()
                else:
                    retries.reset()
            if not waiting:
                # Only now, or a broker that accepts connections but no refusals would be reconnected without a pause.
                self._reconnect.reset()
        consumer.cancel()

    def _update_status(self, refusal: str) -> None:
        """Update the status; Redis may accept the connection but refuse to write."""
        if refusal:
            state = ("disconnected", f"the broker refuses to write: {refusal}")
            if self._status.state() != state:
                self._status.set_disconnected(state[1])
        elif self._status.state()[0] != "connected":
            self._status.set_connected(without_password(self._url))

    def _gather(self, connection: Any, waiting: list[Delivery[Job]], due: float) -> None:
        """Wait for messages, and take those that have arrived, up to the prefetch."""
        timeout = min(max(due - time.monotonic(), _GATHER_SECONDS), _POLL_SECONDS) if waiting else _POLL_SECONDS
        try:
            while True:
                connection.drain_events(timeout=timeout)
                if len(waiting) >= self._prefetch:
                    break
                timeout = _GATHER_SECONDS
        except TimeoutError:
            pass
        if is_amqp(connection):
            connection.heartbeat_check()

    def _delivery(self, message: Any) -> Delivery[Job]:
        now = datetime.now(UTC)
        if message.fault:
            return Delivery(message, MessageRefused(message.fault), now)
        try:
            job = self._parse(message.body, message.content_type)
        except MessageRefused as refusal:
            return Delivery(message, refusal, now)
        except Exception as error:
            # Without a refusal it would be redelivered for ever, and block the messages after it.
            log.error("Cannot parse a message: %s", type(error).__name__)
            reason = f"the message cannot be parsed: {type(error).__name__}: {error}"
            return Delivery(message, MessageRefused(reason), now)
        log.info("Job %s: taken from the channel (%s)", job.job_id, job.job_type)
        return Delivery(message, job, now)


def _undecodable(message: Any, error: Exception) -> Delivery[Any]:
    """Return the refusal of a message that kombu cannot decode."""
    reason = f"the message cannot be decoded: {type(error).__name__}"
    return Delivery(message, MessageRefused(reason), datetime.now(UTC))
