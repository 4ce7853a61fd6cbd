"""Names that queues of tasks must not have, because Celery, RabbitMQ or the channel use them.

Redis keeps a queue as a list under its name, next to all other keys: a queue with the name of another kind of key stops
every agent. The queue of a task is checked when its type is registered, and again before the task is sent.
"""

# Celery's keys from before they had a prefix, which agents of an older release still use; the channel's queues.
_NAMES = frozenset({"unacked", "unacked_index", "unacked_mutex", "job", "result"})
# RabbitMQ's own queues; the channel's queues and keys; Celery's results and events.
_PREFIXES = ("amq.", "job-", "celery-task", "chord-", "celeryev")
# Celery's queues for remote control commands and their replies.
_SUFFIXES = (".pidbox",)


def refusal(queue: str) -> str | None:
    """Return why a queue of tasks cannot have this name; None: it can."""
    if queue in _NAMES or queue.startswith(_PREFIXES) or queue.endswith(_SUFFIXES):
        return f"{queue!r} is reserved for the broker; choose another queue"
    return None
