"""The exchange and the queues of the channel. Declaring them is idempotent."""

import re
import uuid
from typing import Any

from kombu import Exchange, Queue  # noqa: TID253 - no task loads this module

from coinrequest.errors import CoinrequestError

EXCHANGE = "job-exchange"
JOB_KEY = "job"
RESULT_KEY = "result"

JOB_QUEUE = "job"
RESULT_QUEUE = "result"
DEAD_LETTER_QUEUE = "job-dead-letter"

# Clients need not read the shared queues of results and dead letters, so these drop their oldest messages.
LONGEST_QUEUE = 10_000
RESULT_LIFETIME_SECONDS = 24 * 3600
# A private result queue expires this long after its reader has disconnected, so that the reader may reconnect.
PRIVATE_QUEUE_SECONDS = 600
PRIVATE_QUEUE_PREFIX = "job-reader-"

# The names of readers' queues. Colons are reserved for the keys of the transport.
QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_RESERVED_NAMES = (EXCHANGE, JOB_QUEUE, RESULT_QUEUE, DEAD_LETTER_QUEUE)
# Used by the channel, by RabbitMQ, and by Celery and older gateways on the same server.
_RESERVED_PREFIXES = (PRIVATE_QUEUE_PREFIX, "amq.", "unacked", "job-unacked")

exchange = Exchange(EXCHANGE, type="direct", durable=True)

# Without further arguments, because publishers declare it too, and RabbitMQ refuses a declaration that differs.
job_queue = Queue(JOB_QUEUE, exchange, routing_key=JOB_KEY, durable=True)

# The limits are for RabbitMQ; on Redis, `redis_transport` limits the length.
result_queue = Queue(
    RESULT_QUEUE,
    exchange,
    routing_key=RESULT_KEY,
    durable=True,
    message_ttl=RESULT_LIFETIME_SECONDS,
    max_length=LONGEST_QUEUE,
    queue_arguments={"x-overflow": "drop-head"},
)
# Reached over the default exchange by its name.
dead_letter_queue = Queue(
    DEAD_LETTER_QUEUE, durable=True, max_length=LONGEST_QUEUE, queue_arguments={"x-overflow": "drop-head"}
)


class QueueNameInvalid(CoinrequestError, ValueError):
    """The name of a result queue is malformed or reserved."""


def declare(channel: Any) -> None:
    """Declare the exchange and the queues.

    Args:
        channel: an open channel of kombu.
    """
    for queue in (job_queue, result_queue, dead_letter_queue):
        queue(channel).declare()


def reader_queue(name: str | None = None) -> Queue:
    """Return a result queue for one reader, besides the shared one.

    Args:
        name: the name of a queue that is kept while nobody reads it; None for a new private queue, which expires some
            minutes after its reader has disconnected.

    Raises:
        QueueNameInvalid: the name is malformed or reserved.
    """
    if name is None:
        return Queue(
            f"{PRIVATE_QUEUE_PREFIX}{uuid.uuid4().hex}",
            exchange,
            routing_key=RESULT_KEY,
            durable=True,
            expires=PRIVATE_QUEUE_SECONDS,
        )
    if not QUEUE_NAME.fullmatch(name) or name in _RESERVED_NAMES or name.startswith(_RESERVED_PREFIXES):
        raise QueueNameInvalid(
            f"{name[:100]!r} cannot be the name of a result queue: use letters, digits, '_', '.' and '-'; these names "
            f"are reserved: {', '.join(_RESERVED_NAMES)}; and these prefixes: {', '.join(_RESERVED_PREFIXES)}"
        )
    return Queue(
        name,
        exchange,
        routing_key=RESULT_KEY,
        durable=True,
        message_ttl=RESULT_LIFETIME_SECONDS,
        max_length=LONGEST_QUEUE,
        queue_arguments={"x-overflow": "drop-head"},
    )
