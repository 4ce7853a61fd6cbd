"""Takes job messages from the channel, and acknowledges each when its job is stored or its refusal is published."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from coinrequest.channel import topology
from coinrequest.channel.backoff import Backoff
from coinrequest.channel.connection import VISIBILITY_SECONDS, connect, errors_of, is_amqp, without_password
from coinrequest.channel.messages import REFUSED, result_message
from coinrequest.channel.publisher import ResultPublisher
from coinrequest.gateway.outcomes import MessageRefused, Outcome, Wanted
from coinrequest.gateway.status import ChannelStatus

log = logging.getLogger(__name__)

# How many messages a gateway holds that it has not acknowledged; also the largest batch.
PREFETCH = 100
_HEARTBEAT_SECONDS = 20
# An idle consumer looks so often whether it is to stop.
_POLL_SECONDS = 0.5
# So long a batch waits for a further message that is on its way.
_GATHER_SECONDS = 0.002

Job = TypeVar("Job", bound=Wanted)


@dataclass(frozen=True)
class Delivery(Generic[Job]):
    """A message as the broker delivered it, and what it asks for."""

    message: Any
    job: Job | MessageRefused


class Consumer(Generic[Job]):
    """Takes messages until it is told to stop; a broker that is away is waited for.

    Args:
        url: of the broker.
        read: returns what a message asks for, from its body and its content type, or raises `MessageRefused`.
        store: stores jobs, and says of each what became of it; committed when it returns.
        publisher: takes the refusals.
        status: is told whether the broker is reached.
        prefetch: how many messages are held at once.
        visibility: seconds until Redis gives a message that a killed gateway held to another.
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
    ) -> None:
        self._url = url
        self._read = read
        self._store = store
        self._publisher = publisher
        self._status = status
        self._prefetch = prefetch
        self._visibility = visibility
        self._reconnect = Backoff()

    def run(self, stop: threading.Event) -> None:
        """Take messages until `stop` is set, then return what is in hand to the broker."""
        while not stop.is_set():
            connection = connect(
                self._url, name="coinrequest gateway", heartbeat=_HEARTBEAT_SECONDS, visibility=self._visibility
            )
            try:
                with connection:
                    self._serve(connection, stop)
            except errors_of(connection) as error:
                self._status.disconnected(f"{type(error).__name__}: {without_password(error)}")
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
        )
        consumer.consume()
        self._status.connected(without_password(self._url))
        again, due = Backoff(), 0.0
        while not stop.is_set():
            self._gather(connection, waiting, due)
            if waiting and time.monotonic() >= due:
                postponed = self._handle(waiting)
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

    def _handle(self, deliveries: Sequence[Delivery[Job]]) -> list[Delivery[Job]]:
        """Store, refuse and acknowledge; return what has to be tried again."""
        wanted = [(one, one.job) for one in deliveries if not isinstance(one.job, MessageRefused)]
        refused = [(one, one.job) for one in deliveries if isinstance(one.job, MessageRefused)]
        postponed = []
        outcomes = self._store([job for _, job in wanted])
        for (delivery, job), outcome in zip(wanted, outcomes, strict=True):
            if outcome.kind == "postponed":
                postponed.append(delivery)
            elif outcome.kind == "refused":
                refused.append((delivery, MessageRefused(outcome.reason, job.job_id, job.job_type)))
            else:
                log.info("Job %s: %s", job.job_id, "stored" if outcome.kind == "stored" else "is there already")
                delivery.message.ack()
        for delivery, refusal in refused:
            self._refuse(delivery.message, refusal)
            delivery.message.ack()
        self._status.database("" if not postponed else next(o.reason for o in outcomes if o.kind == "postponed"))
        return postponed

    def _delivery(self, message: Any) -> Delivery[Job]:
        try:
            job = self._read(_body(message), message.content_type)
        except MessageRefused as refusal:
            return Delivery(message, refusal)
        except Exception as error:
            # It would come again and again otherwise, and hold up all behind it.
            log.exception("A message cannot be read")
            return Delivery(message, MessageRefused(f"the message cannot be read: {type(error).__name__}: {error}"))
        log.info("Job %s: taken from the channel (%s)", job.job_id, job.job_type)
        return Delivery(message, job)

    def _refuse(self, message: Any, refusal: MessageRefused) -> None:
        """Put a message aside and tell its publisher why; both are at the broker when this returns."""
        log.warning("Job %s: refused: %s", refusal.job_id or "without an id", refusal.reason)
        self._publisher.dead_letter(
            _body(message),
            refusal.reason,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers=message.headers,
        )
        self._publisher.publish_result(
            result_message(refusal.job_id, refusal.job_type, REFUSED, None, refusal.reason, datetime.now(UTC))
        )


def _body(message: Any) -> bytes:
    """Return the body as it was sent; kombu may have decoded it."""
    body = message.body
    if isinstance(body, str):
        try:
            return body.encode(message.content_encoding or "utf-8")
        except (LookupError, UnicodeError):
            return body.encode("utf-8", "surrogatepass")
    return bytes(body or b"")
