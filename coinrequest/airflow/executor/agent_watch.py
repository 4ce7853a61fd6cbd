"""What a scheduler knows of the agents and the broker, looked up beside its loop."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from coinrequest.airflow import celery_messages
from coinrequest.airflow.celery_pool import Agent, CeleryPool

# An agent that is busy, or restarts, may miss a look; one that misses so many in a row is gone.
_MISSES = 4


@dataclass(frozen=True)
class Question:
    """What is to be looked up or done.

    Attributes:
        lost: the queue of each task, by Celery's id, that no agent began for long; are they there still?
        revoked: the queue of each task, by Celery's id, that is not to begin any more.
    """

    lost: Mapping[str, str] = field(default_factory=dict)
    revoked: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """What a look saw.

    Attributes:
        slots: how many tasks the agents of each queue can run at once.
        looked_for: the tasks, by Celery's id, that it looked for; none while an agent does not answer.
        lost: those of them that are neither in the broker nor with an agent.
    """

    slots: Mapping[str, int]
    looked_for: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()


class AgentWatch:
    """Looks at agents and broker in a thread of its own.

    Args:
        application: the Celery application whose broker the agents listen to.
        pool: asks the agents.
    """

    def __init__(self, application: Any, pool: CeleryPool) -> None:
        self._application = application
        self._pool = pool
        self._known: dict[str, tuple[Agent, int]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="agent-watch")
        self._looking: Future[View] | None = None

    def ask(self, question: Question) -> bool:
        """Begin a look, unless one is under way; return whether it began."""
        if self._looking is not None:
            return False
        self._looking = self._thread.submit(self._look, question)
        return True

    def answer(self) -> View | None:
        """Return what a look saw, once; None: there is nothing new.

        Raises:
            Exception: what kept it from seeing, such as `AgentsUnreachable`.
        """
        if self._looking is None or not self._looking.done():
            return None
        looked, self._looking = self._looking, None
        return looked.result()

    def _look(self, question: Question) -> View:
        there: set[str] = set()
        if question.lost or question.revoked:
            with self._application.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
                celery_messages.remove(connection, question.revoked)
                if question.revoked:
                    self._application.control.revoke(list(question.revoked), connection=connection)
                # Before the agents are asked: a message goes from the broker to an agent, not the other way.
                there = celery_messages.waiting(connection, question.lost)
        answered = {agent.name: agent for agent in self._pool.agents()}
        missed = {name: (agent, misses + 1) for name, (agent, misses) in self._known.items() if name not in answered}
        self._known = {name: (agent, 0) for name, agent in answered.items()}
        self._known |= {name: known for name, known in missed.items() if known[1] < _MISSES}
        there |= {task for agent in answered.values() for task in agent.holds}
        if len(self._known) > len(answered):
            return View(self._slots())
        return View(self._slots(), frozenset(question.lost), frozenset(question.lost.keys() - there))

    def _slots(self) -> Mapping[str, int]:
        slots: dict[str, int] = {}
        for agent, _ in self._known.values():
            for queue in agent.queues:
                slots[queue] = slots.get(queue, 0) + agent.concurrency
        return slots
