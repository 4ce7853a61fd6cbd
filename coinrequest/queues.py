"""Names that no queue of tasks may have, because Celery, RabbitMQ or the channel keep something else under them.

Redis keeps a queue as a list under its name, beside whatever else is in the database: a queue named like a key of
another kind stops every agent. Each task is looked at when its type is registered, and again before it is sent.
"""

# Celery's keys before they were named apart, which agents of an older release still use; the channel's queues.
_NAMES = frozenset({"unacked", "unacked_index", "unacked_mutex", "job", "result"})
# RabbitMQ's own queues; the channel's queues and keys; Celery's results and events.
_PREFIXES = ("amq.", "job-", "celery-task", "chord-", "celeryev")
# Where Celery's agents hear of commands, and where their answers go.
_SUFFIXES = (".pidbox",)


def refusal(queue: str) -> str | None:
    """Return why tasks cannot wait in a queue of this name; None: they can."""
    if queue in _NAMES or queue.startswith(_PREFIXES) or queue.endswith(_SUFFIXES):
        return f"{queue!r} is kept for the brokers' own use; choose another queue"
    return None
