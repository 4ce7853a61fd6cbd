"""Tasks that wait in the broker, by Celery's id (kombu 5.7).

Redis lists the messages of a queue. RabbitMQ only counts them, and redelivers those of a dead agent by itself.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_PAGE = 500


def waiting(connection: Any, tasks: Mapping[str, str]) -> set[str]:
    """Return which tasks wait in the broker, or may wait there.

    Args:
        connection: an open connection of kombu.
        tasks: the queue of each task.
    """
    channel = connection.default_channel
    found: set[str] = set()
    for queue in set(tasks.values()):
        own = {task for task, name in tasks.items() if name == queue}
        if _is_redis(connection):
            found.update(task for task, _, _ in _messages(channel, queue) if task in own)
        elif _length(connection, queue):
            found |= own
    return found


def remove(connection: Any, tasks: Mapping[str, str]) -> None:
    """Remove tasks from their queues on Redis, if no agent has taken them yet.

    Args:
        connection: an open connection of kombu.
        tasks: the queue of each task.
    """
    if not _is_redis(connection):
        return
    channel = connection.default_channel
    for queue in set(tasks.values()):
        for task, key, message in list(_messages(channel, queue)):
            if tasks.get(task) == queue:
                channel.client.lrem(key, 1, message)


def _is_redis(connection: Any) -> bool:
    return bool(connection.transport.driver_type == "redis")


def _messages(channel: Any, queue: str) -> Iterator[tuple[str, str, bytes]]:
    """Yield id, key and text of each message in the lists of a queue, one list for each band of priorities.

    It starts at the end from which agents take: if a message is taken meanwhile, others may be seen twice, but none is
    missed.
    """
    for priority in channel.priority_steps:
        key = channel._q_for_pri(queue, priority)
        end = -1
        while page := channel.client.lrange(key, end - _PAGE + 1, end):
            yield from ((_id(message), key, message) for message in page)
            end -= len(page)


def _id(message: bytes) -> str:
    try:
        return str(json.loads(message)["headers"]["id"])
    except (LookupError, TypeError, ValueError, RecursionError):
        return ""


def _length(connection: Any, queue: str) -> int:
    """Return how many messages a queue of RabbitMQ has; 0 if there is no such queue."""
    with connection.channel() as channel:
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except connection.channel_errors:
            return 0
