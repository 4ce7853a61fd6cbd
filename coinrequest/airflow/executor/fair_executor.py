"""Airflow's Celery executor, fair between job types, which finds lost tasks (Airflow 3.3.2, provider 3.26.0).

Tasks wait in the scheduler, not in the broker: only as many are sent as the agents of their queue have free slots, in
the order of `FairQueue`. So a queue without agents blocks no other, a cancelled task frees its slot at once, and a task
that was lost with its agent differs from one that waits.

`[core] executor` names the class. `tests/security/test_fair_executor.py` fails when the methods that it overrides
change.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from airflow.executors import workloads
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.providers.celery.executors.celery_executor import CeleryExecutor
from airflow.providers.celery.executors.celery_executor_utils import ExceptionWithTraceback
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select, update

from coinrequest import queues, settings
from coinrequest.airflow.celery_pool import AgentsUnreachable, CeleryPool
from coinrequest.airflow.executor import scheduler_pace, unsent_tasks
from coinrequest.airflow.executor.agent_watch import AgentWatch, Question, View
from coinrequest.airflow.executor.fair_queue import FairQueue, Holder
from coinrequest.airflow.session import airflow_session

# Seconds between two queries of the tasks' states, and between two inspections of the agents.
QUERY_EVERY = 1.0
INSPECT_EVERY = 5.0
# Seconds. A task that ended before it started was cancelled, unless its result is still on the way.
RESULT_WITHIN = 2.0
# Seconds. The agent of a running task that was cancelled stops it within seconds, and then reports its end.
END_WITHIN = 60.0
# Seconds. An agent starts a task within a second of taking it.
START_WITHIN = 25.0
# The weight of the newest turn in an average over turns, and the smallest average that is kept.
_NEWEST = 0.2
_LEAST = 0.01
# A task is lost if so many inspections in a row do not find it.
_MISSES = 2
# Seconds between two warnings about the broker.
_WARN_EVERY = 60.0

_ACTIVE = (TaskInstanceState.QUEUED, TaskInstanceState.RUNNING, TaskInstanceState.RESTARTING)


@dataclass
class Sent:
    """A task that was sent to the broker.

    Attributes:
        id: of the attempt.
        dag_id, queue: the slot that it holds; the queue of an adopted task is empty until the next query.
        message: Celery's id.
        at: when it was sent; this and the other times are of the monotonic clock.
        started: whether an agent has started it.
        ended_at: when its end was noticed; None if it has not ended.
        misses: how many inspections in a row did not find it.
    """

    id: UUID
    dag_id: str
    queue: str
    message: str
    at: float
    started: bool = False
    ended_at: float | None = None
    misses: int = 0


@dataclass(frozen=True)
class _Row:
    dag_id: str
    queue: str
    state: str
    own: bool


class FairCeleryExecutor(CeleryExecutor):
    """Sends to the agents what they have slots for, and no type takes all slots."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self._waiting: FairQueue[TaskInstanceKey] = FairQueue(settings.type_share())
        self._sent: dict[TaskInstanceKey, Sent] = {}
        # The slots that tasks of other schedulers hold, and the number of slots of each queue.
        self._others: Mapping[Holder, int] = {}
        self._slots: Mapping[str, int] | None = None
        # How many tasks of each holder end between two turns, averaged over the last turns.
        self._ending: Mapping[Holder, float] = {}
        # The queue of each task, by Celery's id, that the next inspection revokes.
        self._revoked: dict[str, str] = {}
        self._queried = self._inspected = self._warned = float("-inf")
        self._watch: AgentWatch | None = None
        self._question = Question()

    def start(self) -> None:
        """Start, in a scheduler's process."""
        super().start()
        scheduler_pace.keep_pace()

    def queue_workload(self, workload: Any, session: Any) -> None:
        """Let a task wait for a slot; a task of a reserved queue fails."""
        super().queue_workload(workload, session)
        if not isinstance(workload, workloads.ExecuteTask):
            return
        key, task = workload.ti.key, workload.ti
        if refusal := queues.refusal(task.queue):
            self.queued_tasks.pop(key, None)
            unsent_tasks.record_reason(task, refusal)
            self.fail(key, refusal)
            return
        self._waiting.add(key, queue=task.queue, job_type=task.dag_id, weight=task.priority_weight)

    @property
    def slots_available(self) -> int:
        """All of them: the limits of jobs and types bound what waits here, and the agents bound what is sent."""
        return self.parallelism

    @property
    def slots_occupied(self) -> int:
        """Zero; see `slots_available`."""
        return 0

    def heartbeat(self) -> None:
        """Process what ended, and send what there are slots for."""
        if time.monotonic() - self._queried >= QUERY_EVERY:
            self._query()
        self._use_inspection()
        # Slots that have become free are filled now, not in the scheduler's next turn.
        self.sync()
        super().heartbeat()

    def trigger_tasks(self, open_slots: int) -> None:
        """Send what there are slots for, and count what ended."""
        ended = Counter((sent.queue, sent.dag_id) for key, sent in self._sent.items() if key not in self.running)
        self._sent = {key: sent for key, sent in self._sent.items() if key in self.running}
        average = {
            holder: self._ending.get(holder, 0.0) * (1 - _NEWEST) + ended[holder] * _NEWEST
            for holder in ended.keys() | self._ending.keys()
        }
        self._ending = {holder: count for holder, count in average.items() if count >= _LEAST}
        super().trigger_tasks(open_slots)

    def _get_workloads_to_schedule(self, open_slots: int) -> list[tuple[Any, Any]]:
        chosen: list[tuple[Any, Any]] = list(self.queued_callbacks.items())[: max(open_slots, 0)]
        # Many short tasks end in each turn: those that will have ended by the next turn do not count as holding slots.
        held = {holder: max(0, count - round(self._ending.get(holder, 0.0))) for holder, count in self._held().items()}
        slots, limit = self._slots or {}, open_slots - len(chosen)
        keys = self._waiting.take(slots, held, limit, waits=self.queued_tasks.__contains__)
        for key in dict.fromkeys(keys):
            workload = self.queued_tasks[key]
            # The validity of its token starts now.
            workload.token = workload.generate_token(str(workload.ti.id), self.jwt_generator)
            chosen.append((key, workload))
        return chosen

    def _send_workloads(self, workload_tuples_to_send: Sequence[Any]) -> None:
        super()._send_workloads(workload_tuples_to_send)
        for key, workload, queue, _ in workload_tuples_to_send:
            if not isinstance(workload, workloads.ExecuteTask):
                continue
            task = workload.ti
            if key in self.queued_tasks:  # the broker did not accept it
                self._waiting.add(key, queue=queue, job_type=task.dag_id, weight=task.priority_weight)
            elif (result := self.workloads.get(key)) is not None:
                self._sent[key] = Sent(task.id, task.dag_id, queue, result.task_id, time.monotonic())

    def _send_workloads_to_celery(self, workload_tuples_to_send: Sequence[Any]) -> list[Any]:
        """Send tasks, and return the results, without those that the broker did not accept: these wait."""
        settled = []
        asked = {key: workload for key, workload, _, _ in workload_tuples_to_send}
        for key, message, result in super()._send_workloads_to_celery(workload_tuples_to_send):
            if isinstance(result, ExceptionWithTraceback):
                error = result.exception
                reason = f"{type(error).__name__}: {error}"
                if unsent_tasks.is_the_brokers(error, self.celery_app):
                    self._warn(f"The broker accepts no tasks ({reason})")
                    continue
                if isinstance(asked[key], workloads.ExecuteTask):
                    unsent_tasks.record_reason(asked[key].ti, f"it cannot be sent to an agent ({reason[:1000]})")
            settled.append((key, message, result))
        return settled

    def _warn(self, problem: str, error: Exception | None = None) -> None:
        """Log a problem of the broker, at most once a minute."""
        now = time.monotonic()
        if now - self._warned >= _WARN_EVERY:
            self._warned = now
            self.log.warning("%s; tasks wait", problem, exc_info=error)

    def try_adopt_task_instances(self, tis: Sequence[TaskInstance]) -> Sequence[TaskInstance]:
        """Adopt tasks of a scheduler that died; an inspection soon finds those that were never sent."""
        refused = super().try_adopt_task_instances(tis)
        sent = time.monotonic() - START_WITHIN
        for ti in tis:
            if ti.key in self.running and ti.key not in self._sent:
                self._sent[ti.key] = Sent(ti.id, ti.dag_id, "", str(ti.external_executor_id), sent)
        self._queried = float("-inf")
        return refused

    def revoke_task(self, *, ti: TaskInstance) -> None:
        """Forget a task, and revoke it on the agents."""
        super().revoke_task(ti=ti)
        self._sent.pop(ti.key, None)

    def _held(self) -> Mapping[Holder, int]:
        """Return the slots that tasks of all schedulers hold; a task that was cancelled before its start holds none."""
        return Counter(self._others) + Counter((sent.queue, sent.dag_id) for sent in self._sent.values())

    def _query(self) -> None:
        """Query the states of the tasks, and forget those that ended without a report of an agent."""
        self._queried = now = time.monotonic()
        rows = self._active()
        self._others = Counter(
            (row.queue, row.dag_id) for row in rows.values() if not row.own and row.state != TaskInstanceState.QUEUED
        )
        for key, workload in list(self.queued_tasks.items()):
            row = rows.get(workload.ti.id)
            if row is None or not row.own:
                del self.queued_tasks[key]
        for key, sent in list(self._sent.items()):
            row = rows.get(sent.id)
            if row is None or not row.own:
                sent.ended_at = sent.ended_at or now
                if now - sent.ended_at >= (END_WITHIN if sent.started else RESULT_WITHIN):
                    self._forget(key)
                    if not sent.started:
                        self._revoked[sent.message] = sent.queue
                continue
            sent.queue, sent.ended_at = row.queue, None
            sent.started = sent.started or row.state != TaskInstanceState.QUEUED

    def _active(self) -> Mapping[UUID, _Row]:
        columns = (TaskInstance.id, TaskInstance.dag_id, TaskInstance.queue, TaskInstance.state)
        query = select(*columns, TaskInstance.queued_by_job_id).where(TaskInstance.state.in_(_ACTIVE))
        with airflow_session() as session:
            return {
                row.id: _Row(row.dag_id, str(row.queue), str(row.state), row.queued_by_job_id == self.job_id)
                for row in session.execute(query)
            }

    def _use_inspection(self) -> None:
        """Use the result of the last inspection, and start the next one when it is due."""
        self._watch = self._watch or AgentWatch(
            self.celery_app, CeleryPool(self.celery_app, inspect_all_after=INSPECT_EVERY)
        )
        view = None
        try:
            view = self._watch.result()
        except AgentsUnreachable as error:
            self._inspection_failed(str(error))
        except Exception as error:
            self._inspection_failed("The agents cannot be inspected", error)
        if view is not None:
            self._slots = view.slots
            self._requeue_lost(view)
        now = time.monotonic()
        unstarted = {
            sent.message: sent.queue
            for sent in self._sent.values()
            if not sent.started and sent.ended_at is None and sent.queue and now - sent.at >= START_WITHIN
        }
        unserved = self._slots is None or not self._slots.keys() >= self._waiting.queues(self.queued_tasks.__contains__)
        hurry = bool(unstarted or self._revoked or unserved)
        if now - self._inspected >= (QUERY_EVERY if hurry else INSPECT_EVERY):
            question = Question(unstarted, dict(self._revoked))
            if self._watch.start(question):
                self._inspected, self._question = now, question
                self._revoked.clear()

    def _inspection_failed(self, problem: str, error: Exception | None = None) -> None:
        """Log that an inspection failed; the next one revokes its tasks."""
        self._warn(problem, error)
        self._revoked = {**self._question.revoked, **self._revoked}

    def _requeue_lost(self, view: View) -> None:
        """Let the scheduler queue tasks again that are neither in the broker nor on an agent."""
        lost = {}
        for key, sent in self._sent.items():
            if sent.message not in view.looked_for:
                continue
            sent.misses = sent.misses + 1 if sent.message in view.lost else 0
            if sent.misses >= _MISSES:
                lost[key] = sent
        if not lost:
            return
        self.log.warning("%d tasks are neither in the broker nor on an agent; they are queued again", len(lost))
        again = {"state": TaskInstanceState.SCHEDULED, "queued_dttm": None, "queued_by_job_id": None}
        statement = (
            update(TaskInstance)
            .where(
                TaskInstance.id.in_([sent.id for sent in lost.values()]),
                # An agent that has started it meanwhile keeps it.
                TaskInstance.state == TaskInstanceState.QUEUED,
                TaskInstance.queued_by_job_id == self.job_id,
            )
            .values(**again)
        )
        with airflow_session() as session:
            session.execute(statement)
        self._forget(*lost)

    def _forget(self, *keys: TaskInstanceKey) -> None:
        for key in keys:
            self._sent.pop(key, None)
            self.workloads.pop(key, None)
            self.running.discard(key)
