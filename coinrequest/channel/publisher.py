"""Publishes messages reliably: a call returns once the broker has confirmed the message, and raises otherwise."""

import json
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from coinrequest.channel import topology
from coinrequest.channel.connection import ChannelUnavailable, broker_errors, connect, is_amqp, without_password
from coinrequest.channel.incoming import CONTENT_ENCODINGS, safe_headers, safe_name, safe_text
from coinrequest.channel.messages import CONTENT_ENCODING, CONTENT_TYPE

log = logging.getLogger(__name__)

# The maximum length of the reason of a dead letter, in characters.
LONGEST_REASON = 2000
_CONFIRM_SECONDS = 10.0
_PERSISTENT = 2
# After a failure, calls fail immediately for this time, instead of each thread waiting for the same broker.
_PAUSE_SECONDS = 0.5
# The broker may have closed a connection that has been idle longer than this.
_IDLE_SECONDS = 1.0


class ResultPublisher:
    """Publishes results and dead letters. It is thread-safe, connects on first use, and reconnects after a failure.

    RabbitMQ confirms a message once it is on disk in a durable queue; Redis, once it is in its lists.

    Args:
        url: the URL of the broker.
        name: the name of the connection in RabbitMQ.
    """

    def __init__(self, url: str, name: str = "coinrequest results") -> None:
        self._url = url
        self._name = name
        self._lock = threading.Lock()
        self._connection: Any = None
        self._producer: Any = None
        self._used = 0.0
        self._paused_until = 0.0
        self._failure = ""

    def publish_result(self, body: str | bytes) -> None:
        """Publish a message of `result_message` to all clients that listen for results.

        Raises:
            ChannelUnavailable: the broker did not confirm the message, but may have received it.
        """
        job_id = json.loads(body)["job_id"]
        self._publish(body, topology.EXCHANGE, topology.RESULT_KEY, {"correlation_id": job_id or ""})
        log.info("Job %s: result published", job_id)

    def dead_letter(
        self,
        body: str | bytes,
        reason: str,
        *,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """Publish a refused message to the dead-letter queue, with the reason in the header `x-reason`.

        Properties and headers that could harm a broker or kombu are changed.

        Raises:
            ChannelUnavailable: the broker did not confirm the message, but may have received it.
        """
        known = (content_encoding or "").lower() in CONTENT_ENCODINGS
        self._publish(
            body if isinstance(body, bytes) else str(body).encode("utf-8", "surrogatepass"),
            "",
            topology.DEAD_LETTER_QUEUE,
            {
                "content_type": safe_name(content_type or "application/octet-stream"),
                "content_encoding": (known and content_encoding) or "binary",
                "headers": {**safe_headers(headers), "x-reason": safe_text(reason, LONGEST_REASON)},
            },
        )

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""
        with self._lock:
            self._drop()

    def _publish(self, body: str | bytes, exchange: str, key: str, properties: dict[str, Any]) -> None:
        with self._lock:
            if time.monotonic() < self._paused_until:
                raise ChannelUnavailable(self._failure)
            connection = self._connection or connect(self._url, name=self._name)
            try:
                self._open(connection)
                self._producer.publish(
                    body,
                    exchange=exchange,
                    routing_key=key,
                    delivery_mode=_PERSISTENT,
                    confirm_timeout=_CONFIRM_SECONDS,
                    **{"content_type": CONTENT_TYPE, "content_encoding": CONTENT_ENCODING, **properties},
                )
            except (*broker_errors(connection), *_rejections()) as error:
                self._drop()
                self._failure = f"{type(error).__name__}: {without_password(error)}"
                self._paused_until = time.monotonic() + _PAUSE_SECONDS
                raise ChannelUnavailable(self._failure) from error
            self._used = time.monotonic()

    def _open(self, connection: Any) -> None:
        if self._connection is not None and self._was_closed():
            self._drop()
            connection = connect(self._url, name=self._name)
        if self._connection is None:
            self._connection = connection
            channel = connection.channel()
            topology.declare(channel)
            self._producer = connection.Producer(channel)

    def _was_closed(self) -> bool:
        if not is_amqp(self._connection) or time.monotonic() - self._used < _IDLE_SECONDS:
            return False
        try:
            self._connection.drain_events(timeout=0.001)
        except TimeoutError:
            return False
        except broker_errors(self._connection):
            return True
        return False

    def _drop(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            try:
                connection.release()
            except broker_errors(connection):
                log.debug("A broken connection could not be closed", exc_info=True)


def _rejections() -> tuple[type[BaseException], ...]:
    from amqp.exceptions import MessageNacked

    return (MessageNacked,)
