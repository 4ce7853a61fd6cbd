"""Lets an agent that cannot write its logs take no tasks: they wait, or go to other agents, until there is room again.

`[celery] extra_celery_config` names this module in Celery's `imports`. Celery calls `turn` every 2 s from its loop.
What is the matter, anybody may ask by the inspection `coinrequest_intake`.
"""

import logging
import time
from typing import Any

from celery.signals import heartbeat_sent, worker_ready  # noqa: TID253 - loaded by agents alone, before the forks
from celery.worker.control import inspect_command  # noqa: TID253

from coinrequest.worker.disk_space import RoomWatch, folders

log = logging.getLogger(__name__)

_SAID_EVERY = 60.0


class Intake:
    """Opens and closes the queues of one agent, in its loop.

    Args:
        consumer: Celery's, which has the broker's connection.
        watch: says what is the matter with the disk.
    """

    def __init__(self, consumer: Any, watch: RoomWatch) -> None:
        self._consumer = consumer
        self._watch = watch
        self._closed: list[str] = []
        self._said = float("-inf")

    def turn(self) -> None:
        """Close the queues while something is the matter, and open them when nothing is any more."""
        reason = self.trouble()
        if reason is not None:
            if time.monotonic() - self._said >= _SAID_EVERY:
                self._said = time.monotonic()
                log.error("The agent takes no tasks: %s", reason)
            self._close()
        elif self._closed:
            self._open()
            log.warning("The agent takes tasks again: there is room on its disk")
            self._said = float("-inf")

    def trouble(self) -> str | None:
        """Return why the agent takes no tasks; None: it takes them."""
        return self._watch.trouble()

    def _close(self) -> None:
        names = list(self._consumer.app.amqp.queues.consume_from)
        self._closed = list(dict.fromkeys([*self._closed, *names]))
        # Not consumed from after a lost connection either.
        for name in names:
            self._consumer.app.amqp.queues.deselect(name)
            if self._consumer.task_consumer:
                self._consumer.task_consumer.cancel_by_queue(name)

    def _open(self) -> None:
        names, self._closed = self._closed, []
        self._consumer.app.amqp.queues.select(names)
        if self._consumer.task_consumer:
            for name in names:
                self._consumer.add_task_queue(name)


_intake: Intake | None = None


def begin(sender: Any, **_: object) -> None:
    """Look for the first time, when Celery has just begun to take tasks."""
    global _intake
    _intake = Intake(sender, RoomWatch(folders()))
    _intake.turn()


def turn(**_: object) -> None:
    """Look again."""
    if _intake is not None:
        _intake.turn()


def trouble() -> str | None:
    """Return why this agent takes no tasks; None: it takes them, or has not begun."""
    return None if _intake is None else _intake.trouble()


@inspect_command()  # type: ignore[untyped-decorator]
def coinrequest_intake(_state: Any, **_: object) -> dict[str, str | None]:
    """Answer the inspection."""
    return {"trouble": trouble()}


worker_ready.connect(begin)
heartbeat_sent.connect(turn)
