"""How a run or one of its tasks failed, as Airflow's tables and its audit log tell (Airflow 3.3.2)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, String, bindparam, text
from sqlalchemy.orm import Session

from coinrequest.airflow import helper_tasks
from coinrequest.airflow.runs import REPORT, content_of, index_of
from coinrequest.airflow.task_reports import FAILURE
from coinrequest.database.stored import bounded_time

# Lines of the audit log about one attempt that ended without a report of its own.
HEARTBEAT_TIMEOUT = "heartbeat timeout"
STATE_MISMATCH = "state mismatch"
STUCK_IN_QUEUE = "stuck in queued tries exceeded"
# A lost heartbeat or a full queue also causes a mismatch, which tells less.
_EVENTS = [HEARTBEAT_TIMEOUT, STUCK_IN_QUEUE, STATE_MISMATCH]
# Lines about people who set the state of runs or tasks; the last one names the runs in its body. Airflow writes none
# about tasks that are set in bulk.
_BY_PEOPLE = ["patch_dag_run", "patch_task_instance", "patch_task_group_instances", "bulk_dag_runs"]
# The web server writes such a line just before it changes the states.
_CHANGE_TAKES = timedelta(seconds=30)

_TASK = f"""
    task.task_id, task.map_index, task.try_number, task.max_tries, task.hostname, task.queue,
    {bounded_time("task.start_date")} AS start_date, {bounded_time("task.end_date")} AS end_date, {REPORT} AS failure,
    (
        SELECT count(*) FROM task_instance AS item
        WHERE item.dag_id = task.dag_id AND item.run_id = task.run_id AND item.task_id = task.task_id
            AND item.state IS DISTINCT FROM 'removed'
    ) AS items
"""  # noqa: S608 - of constants alone
_FAILED = text(
    f"""
    SELECT {_TASK}, line.event, line.extra FROM task_instance AS task
    LEFT JOIN LATERAL (
        SELECT event, left(extra, 2000) AS extra FROM log
        WHERE log.dag_id = task.dag_id AND log.task_id = task.task_id AND log.run_id = task.run_id
            AND log.map_index = task.map_index AND log.try_number = task.try_number AND log.event = ANY(:events)
        ORDER BY array_position(:events, log.event) LIMIT 1
    ) AS line ON true
    WHERE task.dag_id = :dag_id AND task.run_id = :run_id AND task.state = :state
    ORDER BY task.end_date, task.task_id, task.map_index LIMIT 1
    """  # noqa: S608 - of constants alone
).bindparams(bindparam("events", type_=ARRAY(String)))
# By the index of times: a few seconds of the log at most.
_PERSON = text(
    """
    SELECT owner FROM log
    WHERE dttm BETWEEN :earliest AND :latest AND event = ANY(:events) AND extra LIKE '%failed%' AND owner IS NOT NULL
        AND (run_id = :run_id OR strpos(extra, :run_id) > 0) AND (task_id IS NULL OR task_id = :task_id)
    ORDER BY dttm DESC LIMIT 1
    """
)
_RUN = text(
    f"""
    SELECT {bounded_time("start_date")} AS start_date, {bounded_time("end_date")} AS end_date
    FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id
    """  # noqa: S608 - of constants alone
)
# Airflow skips what is unfinished when a run times out; what runs then has no end, and what waits has none either.
_CUT_SHORT = text(
    f"""
    SELECT {_TASK} FROM task_instance AS task
    WHERE dag_id = :dag_id AND run_id = :run_id AND state = 'skipped' AND end_date IS NULL
    ORDER BY start_date NULLS LAST, task_id, map_index LIMIT 1
    """  # noqa: S608 - of constants alone
)
_STATES = text(
    """
    SELECT coalesce(state, 'none') AS state, count(*) AS tasks FROM task_instance
    WHERE dag_id = :dag_id AND run_id = :run_id GROUP BY 1 ORDER BY 1
    """
)


@dataclass(frozen=True)
class TaskFailure:
    """A task whose last attempt failed.

    Attributes:
        map_index: the item of a mapped task; None for other tasks.
        items: how many items the task has.
        reason: as the attempt stored it; None if it stored none.
        attempt: which one it was, counted from 1.
        attempts: how many there may be.
        host: of the agent that ran it; empty if no agent began it.
        queue: of the agents that may run it.
        ended_at: when the attempt ended, with a zone.
        event: Airflow's line about an attempt that ended without a report; None if there is none.
        detail: of that line.
        by: who set the task to failed; None: nobody, as far as is known.
        helper: the task of Airflow that failed in its place, whose log tells why; None for all others.
    """

    task: str
    map_index: int | None
    items: int
    reason: str | None
    attempt: int
    attempts: int
    host: str
    queue: str
    ended_at: datetime | None = None
    event: str | None = None
    detail: str = ""
    by: str | None = None
    helper: str | None = None


@dataclass(frozen=True)
class CutShort:
    """A task that was unfinished when its run ended; `reason` is that of its last attempt, if that had failed."""

    task: str
    map_index: int | None
    items: int
    queue: str
    started: bool
    reason: str | None = None


@dataclass(frozen=True)
class RunEnding:
    """How a failed run ended.

    Attributes:
        took: how long the run took; None if it never started.
        cut_short: a task that Airflow skipped because the run's time was over; None if there is none.
        by: who set the run to failed; None: nobody, as far as is known.
        states: how many tasks are in each of Airflow's states.
    """

    took: timedelta | None
    cut_short: CutShort | None
    by: str | None
    states: Mapping[str, int]


def failed_task(session: Session, dag_id: str, run_id: str, state: str = "failed") -> TaskFailure | None:
    """Return the task of a run that failed first; None if none did.

    Args:
        state: `failed`, or `up_for_retry` for one that will be tried again.
    """
    names = {"dag_id": dag_id, "run_id": run_id, "state": state, "key": FAILURE, "events": _EVENTS}
    row = session.execute(_FAILED, names).one_or_none()
    if row is None:
        return None
    return TaskFailure(
        task=helper_tasks.shown_task(row.task_id) or row.task_id,
        map_index=index_of(row.map_index),
        items=int(row.items),
        reason=_reason(row),
        attempt=int(row.try_number),
        attempts=int(row.max_tries) + 1,
        host=row.hostname or "",
        queue=row.queue or "",
        ended_at=row.end_date,
        event=row.event,
        detail=row.extra or "",
        by=_person(session, run_id, row.task_id, row.end_date),
        helper=row.task_id if helper_tasks.is_helper(row.task_id) else None,
    )


def run_ending(session: Session, dag_id: str, run_id: str) -> RunEnding:
    """Return how a failed run ended."""
    key = {"dag_id": dag_id, "run_id": run_id}
    run = session.execute(_RUN, key).one_or_none()
    started, ended = (None, None) if run is None else (run.start_date, run.end_date)
    cut = session.execute(_CUT_SHORT, {**key, "key": FAILURE}).one_or_none()
    return RunEnding(
        took=ended - started if started and ended else None,
        cut_short=None if cut is None else _cut_short(cut),
        by=_person(session, run_id, None, ended),
        states={str(row.state): row.tasks for row in session.execute(_STATES, key)},
    )


def _cut_short(row: Any) -> CutShort:
    return CutShort(
        task=helper_tasks.shown_task(row.task_id) or row.task_id,
        map_index=index_of(row.map_index),
        items=int(row.items),
        queue=row.queue or "",
        started=row.start_date is not None,
        reason=_reason(row),
    )


def extra_info(detail: str) -> str:
    """Return what the executor told about a task, from Airflow's line about a `state mismatch`; empty if nothing."""
    return " ".join(detail.partition("Extra info: ")[2].split())[:500]


def _reason(row: Any) -> str | None:
    """Return the reason that the last attempt stored; that of an earlier attempt is a different one."""
    failure = content_of(row.failure)
    is_current = isinstance(failure, dict) and failure.get("attempt") == row.try_number and bool(failure.get("text"))
    return str(failure["text"]) if is_current else None


def _person(session: Session, run_id: str, task_id: str | None, ended_at: datetime | None) -> str | None:
    """Return who set a run, or a task of it, to failed at this time."""
    if ended_at is None:
        return None
    # In the body of a line in bulk, the id is JSON text.
    written = json.dumps(run_id)[1:-1]
    names: dict[str, Any] = {"run_id": written, "task_id": task_id, "events": _BY_PEOPLE}
    times = {"earliest": ended_at - _CHANGE_TAKES, "latest": ended_at}
    owner = session.scalar(_PERSON, {**names, **times})
    return None if owner is None else str(owner)
