"""Stops an agent from taking tasks while it cannot write their logs; they wait, or go to other agents.

`[celery] extra_celery_config` names this module in Celery's `imports`. Celery calls `update` every 2 s from its event
loop. The inspection command `coinrequest_intake` tells the reason, and which actions the agent has.
"""

import logging
import time
from typing import Any

from celery.signals import heartbeat_sent, worker_ready  # noqa: TID253 - loaded by agents alone, before the forks
from celery.worker.control import inspect_command  # noqa: TID253

from coinrequest.actions.catalogue import action_versions
from coinrequest.worker.disk_space import DiskMonitor, folders

log = logging.getLogger(__name__)

_LOG_EVERY = 60.0


class Intake:
    """Pauses and resumes the queues of one agent, in its event loop.

    Args:
        consumer: Celery's consumer, which holds the connection to the broker.
        disk: the monitor of the agent's disk.
    """

    def __init__(self, consumer: Any, disk: DiskMonitor) -> None:
        self._consumer = consumer
        self._disk = disk
        self._paused: list[str] = []
        self._logged = float("-inf")

    def update(self) -> None:
        """Pause the queues while the disk has a problem, and resume them afterwards."""
        reason = self.problem()
        if reason is not None:
            if time.monotonic() - self._logged >= _LOG_EVERY:
                self._logged = time.monotonic()
                log.error("The agent takes no tasks: %s", reason)
            self._pause()
        elif self._paused:
            self._resume()
            log.warning("The agent takes tasks again: there is room on its disk")
            self._logged = float("-inf")

    def problem(self) -> str | None:
        """Return why the agent takes no tasks; None if it takes them."""
        return self._disk.problem()

    def _pause(self) -> None:
        names = list(self._consumer.app.amqp.queues.consume_from)
        self._paused = list(dict.fromkeys([*self._paused, *names]))
        # So that they stay paused after a lost connection too.
        for name in names:
            self._consumer.app.amqp.queues.deselect(name)
            if self._consumer.task_consumer:
                self._consumer.task_consumer.cancel_by_queue(name)

    def _resume(self) -> None:
        names, self._paused = self._paused, []
        self._consumer.app.amqp.queues.select(names)
        if self._consumer.task_consumer:
            for name in names:
                self._consumer.add_task_queue(name)


_intake: Intake | None = None


def start(sender: Any, **_: object) -> None:
    """Check the disk for the first time, when Celery has just begun to take tasks."""
    global _intake
    _intake = Intake(sender, DiskMonitor(folders()))
    _intake.update()


def update(**_: object) -> None:
    """Pause or resume the queues."""
    if _intake is not None:
        _intake.update()


def problem() -> str | None:
    """Return why this agent takes no tasks; None if it takes them, or has not started."""
    return None if _intake is None else _intake.problem()


@inspect_command()  # type: ignore[untyped-decorator]
def coinrequest_intake(state: Any, **_: object) -> dict[str, Any]:
    """Answer the inspection: why the agent takes no tasks, its queues, and the versions of its actions."""
    return {
        "trouble": problem(),
        "queues": list(state.app.amqp.queues.consume_from),
        "actions": dict(action_versions()),
    }


worker_ready.connect(start)
heartbeat_sent.connect(update)
