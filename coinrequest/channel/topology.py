"""The exchange and the queues of the channel; declaring them again changes nothing."""

import re
import uuid
from typing import Any

from kombu import Exchange, Queue  # noqa: TID253 - no task loads this module

EXCHANGE = "job-exchange"
JOB_KEY = "job"
RESULT_KEY = "result"

JOB_QUEUE = "job"
RESULT_QUEUE = "result"
DEAD_LETTER_QUEUE = "job-dead-letter"

# Nobody has to read the shared queues of results and dead letters, so they are bounded: the oldest leave first.
LONGEST_QUEUE = 10_000
RESULT_LIFETIME_SECONDS = 24 * 3600
# A private queue of results outlives its reader by so long, so that a reader may reconnect.
PRIVATE_QUEUE_SECONDS = 600
PRIVATE_QUEUE_PREFIX = "job-reader-"

# What a reader may call its queue. A colon is left to keys of the transport.
QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_TAKEN_NAMES = (EXCHANGE, JOB_QUEUE, RESULT_QUEUE, DEAD_LETTER_QUEUE)
# The channel's own, RabbitMQ's, and those of Celery and of gateways before, who may be on the same server.
_TAKEN_PREFIXES = (PRIVATE_QUEUE_PREFIX, "amq.", "unacked", "job-unacked")

exchange = Exchange(EXCHANGE, type="direct", durable=True)

# Without further arguments: every publisher may declare it, and RabbitMQ refuses declarations that differ.
job_queue = Queue(JOB_QUEUE, exchange, routing_key=JOB_KEY, durable=True)

# On RabbitMQ. On Redis, `redis_transport` bounds the length.
result_queue = Queue(
    RESULT_QUEUE,
    exchange,
    routing_key=RESULT_KEY,
    durable=True,
    message_ttl=RESULT_LIFETIME_SECONDS,
    max_length=LONGEST_QUEUE,
    queue_arguments={"x-overflow": "drop-head"},
)
# Reached by the default exchange, under its own name.
dead_letter_queue = Queue(
    DEAD_LETTER_QUEUE, durable=True, max_length=LONGEST_QUEUE, queue_arguments={"x-overflow": "drop-head"}
)


class QueueNameInvalid(ValueError):
    """A reader's queue cannot be called so; the message says why."""


def declare(channel: Any) -> None:
    """Make the exchange and the queues, unless they are there.

    Args:
        channel: an open channel of kombu.
    """
    for queue in (job_queue, result_queue, dead_letter_queue):
        queue(channel).declare()


def reader_queue(name: str | None = None) -> Queue:
    """Describe a queue of results for one reader, beside the shared one.

    Args:
        name: it is kept under this name while nobody reads it; None: a new private one, which goes some minutes
            after its reader.

    Raises:
        QueueNameInvalid: it is no name, or the channel's own.
    """
    if name is None:
        return Queue(
            f"{PRIVATE_QUEUE_PREFIX}{uuid.uuid4().hex}",
            exchange,
            routing_key=RESULT_KEY,
            durable=True,
            expires=PRIVATE_QUEUE_SECONDS,
        )
    if not QUEUE_NAME.fullmatch(name) or name in _TAKEN_NAMES or name.startswith(_TAKEN_PREFIXES):
        raise QueueNameInvalid(
            f"a queue of results cannot be called {name[:100]!r}: choose a name of letters, digits, '_', '.' and '-' "
            f"that is not one of {', '.join(_TAKEN_NAMES)} and begins with none of {', '.join(_TAKEN_PREFIXES)}"
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
