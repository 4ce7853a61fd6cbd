"""Takes job messages from the channel, and keeps those that have to wait."""

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

# How many messages a gateway holds that it has not acknowledged; also the largest batch.
PREFETCH = 100
_HEARTBEAT_SECONDS = 20
# An idle consumer looks so often whether it is to stop.
_POLL_SECONDS = 0.5
# So long a batch waits for a further message that is on its way.
_GATHER_SECONDS = 0.002


class Consumer(Generic[Job]):
    """Takes messages until it is told to stop; a broker that is away is waited for.

    Args:
        url: of the broker.
        read: returns what a message asks for, from its body and its content type, or raises `MessageRefused`.
        store: stores jobs, and says of each what became of it; committed when it returns.
        publisher: takes the refusals.
        status: is told whether the broker is reached, and what waits.
        prefetch: how many messages are held at once.
        visibility: seconds until Redis gives a message that a killed gateway held to another.
        largest: bytes of a message; a larger one is refused, and never in memory as a whole.
    """

    def __init__(
        self,
        url: str,
        read: Callable[[bytes, str | None], Job],
        store: Callable[[Sequence[Job]], Sequence[Outcome]],
        publisher: ResultPublisher,
        status: ChannelStatus,
        *,
        prefetch: int = PREFETCH,
        visibility: float = VISIBILITY_SECONDS,
        largest: int = LARGEST_MESSAGE,
    ) -> None:
        self._url = url
        self._read = read
        self._handler = Handler(store, publisher, status)
        self._status = status
        self._prefetch = prefetch
        self._visibility = visibility
        self._largest = largest
        self._reconnect = Backoff()

    def run(self, stop: threading.Event) -> None:
        """Take messages until `stop` is set, then return what is in hand to the broker."""
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
                self._status.disconnected(f"{type(error).__name__}: {without_password(error)}")
                stop.wait(self._reconnect.next())
            except Exception as error:
                # A fault of ours, or of kombu. Notices go out, and what is in hand goes back to the broker.
                log.exception("The consumer failed; it connects again")
                self._status.disconnected(f"the consumer failed ({type(error).__name__}); the gateway's log says why")
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
        again, due = Backoff(), 0.0
        while not stop.is_set():
            self._gather(connection, waiting, due)
            self._tell(getattr(channel, "refusal", ""))
            if waiting and time.monotonic() >= due:
                postponed = self._handler.handle(waiting)
                # The list itself is kept: further messages are added to it.
                waiting[:] = postponed
                if postponed:
                    due = time.monotonic() + again.next()
                else:
                    again.reset()
            if not waiting:
                # A broker that takes connections, but no refusals, would be called without a pause otherwise.
                self._reconnect.reset()
        consumer.cancel()

    def _tell(self, refusal: str) -> None:
        """Say whether the broker takes what a gateway has to write; Redis may refuse it."""
        if refusal:
            state = ("disconnected", f"the broker refuses to write: {refusal}")
            if self._status.now() != state:
                self._status.disconnected(state[1])
        elif self._status.now()[0] != "connected":
            self._status.connected(without_password(self._url))

    def _gather(self, connection: Any, waiting: list[Delivery[Job]], due: float) -> None:
        """Wait for messages, and take what there is, as far as there is room."""
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
            job = self._read(message.body, message.content_type)
        except MessageRefused as refusal:
            return Delivery(message, refusal, now)
        except Exception as error:
            # It would come again and again otherwise, and hold up all behind it.
            log.error("A message cannot be read: %s", type(error).__name__)
            reason = f"the message cannot be read: {type(error).__name__}: {error}"
            return Delivery(message, MessageRefused(reason), now)
        log.info("Job %s: taken from the channel (%s)", job.job_id, job.job_type)
        return Delivery(message, job, now)


def _undecodable(message: Any, error: Exception) -> Delivery[Any]:
    """Return the refusal of what kombu itself stumbles over, which should be nothing."""
    reason = f"the message cannot be read: {type(error).__name__}"
    return Delivery(message, MessageRefused(reason), datetime.now(UTC))
