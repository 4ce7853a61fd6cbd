"""Inspects agents and broker in a background thread, beside the scheduler's loop."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from coinrequest.airflow import celery_messages
from coinrequest.airflow.celery_pool import Agent, CeleryPool

# A busy or restarting agent may miss an inspection; one that misses so many in a row is gone.
_MISSES = 4


@dataclass(frozen=True)
class Question:
    """What an inspection looks for and does.

    Attributes:
        unstarted: the queue of each task, by Celery's id, that no agent has started for a while; it may be lost.
        revoked: the queue of each task, by Celery's id, that must not start any more.
    """

    unstarted: Mapping[str, str] = field(default_factory=dict)
    revoked: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """The result of an inspection.

    Attributes:
        slots: how many tasks the agents of each queue can run at once.
        looked_for: the unstarted tasks, by Celery's id; none while an agent does not respond.
        lost: those of them that are neither in the broker nor on an agent.
    """

    slots: Mapping[str, int]
    looked_for: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()


class AgentWatch:
    """Runs one inspection at a time in a background thread.

    Args:
        application: the Celery application whose broker the agents use.
        pool: the agents.
    """

    def __init__(self, application: Any, pool: CeleryPool) -> None:
        self._application = application
        self._pool = pool
        self._known: dict[str, tuple[Agent, int]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="agent-watch")
        self._running: Future[View] | None = None

    def start(self, question: Question) -> bool:
        """Start an inspection, unless one is running; return whether it started."""
        if self._running is not None:
            return False
        self._running = self._thread.submit(self._inspect, question)
        return True

    def result(self) -> View | None:
        """Return the result of an inspection, once; None if there is no new one.

        Raises:
            Exception: the error of the inspection, such as `AgentsUnreachable`.
        """
        if self._running is None or not self._running.done():
            return None
        finished, self._running = self._running, None
        return finished.result()

    def _inspect(self, question: Question) -> View:
        there: set[str] = set()
        if question.unstarted or question.revoked:
            with self._application.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
                celery_messages.remove(connection, question.revoked)
                if question.revoked:
                    self._application.control.revoke(list(question.revoked), connection=connection)
                # Before the agents are inspected: a message moves from the broker to an agent, never back.
                there = celery_messages.waiting(connection, question.unstarted)
        replied = {agent.name: agent for agent in self._pool.agents()}
        missed = {name: (agent, misses + 1) for name, (agent, misses) in self._known.items() if name not in replied}
        self._known = {name: (agent, 0) for name, agent in replied.items()}
        self._known |= {name: known for name, known in missed.items() if known[1] < _MISSES}
        there |= {task for agent in replied.values() for task in agent.holds}
        if len(self._known) > len(replied):
            return View(self._slots())
        return View(self._slots(), frozenset(question.unstarted), frozenset(question.unstarted.keys() - there))

    def _slots(self) -> Mapping[str, int]:
        slots: dict[str, int] = {}
        for agent, _ in self._known.values():
            for queue in agent.queues:
                slots[queue] = slots.get(queue, 0) + agent.concurrency
        return slots
