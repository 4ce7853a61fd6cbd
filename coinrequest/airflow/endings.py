"""How a run or one of its tasks failed, as Airflow's tables and its audit log tell (Airflow 3.3.2)."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, String, bindparam, text
from sqlalchemy.orm import Session

from coinrequest.airflow import helper_tasks
from coinrequest.airflow.runs import EMPTY_LIST, REPORT, content_of, index_of
from coinrequest.airflow.task_reports import FAILURE
from coinrequest.database.stored import bounded_time

# The ids of a DAG and of a run of it.
Run = tuple[str, str]

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
_CHANGE_TAKES = "interval '30 seconds'"

# Each statement below reads any number of runs at once, each of them by indexes.
_RUNS = """
    unnest(CAST(:dag_ids AS text[]), CAST(:run_ids AS text[]), CAST(:written_ids AS text[]))
        AS run (dag_id, run_id, written_id)
"""
_TASK = f"""
    task.task_id, task.map_index, task.try_number, task.max_tries, task.hostname, task.queue,
    {bounded_time("task.start_date")} AS start_date, {bounded_time("task.end_date")} AS end_date, {REPORT} AS failure,
    (
        SELECT count(*) FROM task_instance AS item
        WHERE item.dag_id = task.dag_id AND item.run_id = task.run_id AND item.task_id = task.task_id
            AND item.state IS DISTINCT FROM 'removed'
    ) AS items
"""  # noqa: S608 - of constants alone


def _person(task_id: str, ended_at: str) -> str:
    """Return SQL for who set a run, or a task of it, to failed at a time: a few seconds of the log, by its index."""
    return f"""
        SELECT log.owner FROM log
        WHERE log.dttm BETWEEN {ended_at} - {_CHANGE_TAKES} AND {ended_at} AND log.event = ANY(:by_people)
            AND log.extra LIKE '%failed%' AND log.owner IS NOT NULL
            AND (log.dag_id = run.dag_id OR strpos(log.extra, run.dag_id) > 0)
            AND (log.run_id = run.run_id OR strpos(log.extra, run.written_id) > 0)
            AND (log.task_id IS NULL OR log.task_id = {task_id})
        ORDER BY log.dttm DESC LIMIT 1
    """  # noqa: S608 - of constants alone


_FAILED = text(
    f"""
    SELECT run.dag_id, run.run_id, task.*, line.event, line.extra, person.owner FROM {_RUNS}
    CROSS JOIN LATERAL (
        SELECT {_TASK} FROM task_instance AS task
        WHERE task.dag_id = run.dag_id AND task.run_id = run.run_id AND task.state = :state
        ORDER BY task.end_date, task.task_id, task.map_index LIMIT 1
    ) AS task
    LEFT JOIN LATERAL (
        SELECT log.event, left(log.extra, 2000) AS extra FROM log
        WHERE log.dag_id = run.dag_id AND log.task_id = task.task_id AND log.run_id = run.run_id
            AND log.map_index = task.map_index AND log.try_number = task.try_number AND log.event = ANY(:events)
        ORDER BY array_position(:events, log.event) LIMIT 1
    ) AS line ON true
    LEFT JOIN LATERAL ({_person("task.task_id", "task.end_date")}) AS person ON true
    """  # noqa: S608 - of constants alone
).bindparams(bindparam("events", type_=ARRAY(String)), bindparam("by_people", type_=ARRAY(String)))
# Airflow skips what is unfinished when a run times out; what runs then has no end, and what waits has none either.
_ENDED = text(
    f"""
    SELECT run.dag_id, run.run_id, ended.start_date AS run_start, ended.end_date AS run_end, cut.*, person.owner,
        (
            SELECT json_object_agg(state, tasks ORDER BY state) FROM (
                SELECT coalesce(task.state, 'none') AS state, count(*) AS tasks FROM task_instance AS task
                WHERE task.dag_id = run.dag_id AND task.run_id = run.run_id GROUP BY 1
            ) AS counted
        ) AS states
    FROM {_RUNS}
    LEFT JOIN LATERAL (
        SELECT {bounded_time("start_date")} AS start_date, {bounded_time("end_date")} AS end_date FROM dag_run
        WHERE dag_run.dag_id = run.dag_id AND dag_run.run_id = run.run_id
    ) AS ended ON true
    LEFT JOIN LATERAL (
        SELECT {_TASK} FROM task_instance AS task
        WHERE task.dag_id = run.dag_id AND task.run_id = run.run_id AND task.state = 'skipped'
            AND task.end_date IS NULL AND NOT {EMPTY_LIST}
        ORDER BY task.start_date NULLS LAST, task.task_id, task.map_index LIMIT 1
    ) AS cut ON true
    LEFT JOIN LATERAL ({_person("NULL", "ended.end_date")}) AS person ON true
    """  # noqa: S608 - of constants alone
).bindparams(bindparam("by_people", type_=ARRAY(String)))


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


def failed_tasks(session: Session, runs: Collection[Run], state: str = "failed") -> dict[Run, TaskFailure]:
    """Return the task that failed first of each run that has one, by one query.

    Args:
        state: `failed`, or `up_for_retry` for one that will be tried again.
    """
    names = {**_names(runs), "state": state, "events": _EVENTS}
    return {(row.dag_id, row.run_id): _task_failure(row) for row in session.execute(_FAILED, names)}


def run_endings(session: Session, runs: Collection[Run]) -> dict[Run, RunEnding]:
    """Return how failed runs ended, by one query."""
    names = {**_names(runs), "items": helper_tasks.ITEMS}
    return {(row.dag_id, row.run_id): _run_ending(row) for row in session.execute(_ENDED, names)}


def _names(runs: Collection[Run]) -> dict[str, Any]:
    run_ids = [run_id for _, run_id in runs]
    return {
        "dag_ids": [dag_id for dag_id, _ in runs],
        "run_ids": run_ids,
        # In the body of a line about changes in bulk, an id is JSON text.
        "written_ids": [json.dumps(run_id)[1:-1] for run_id in run_ids],
        "by_people": _BY_PEOPLE,
        "key": FAILURE,
    }


def _task_failure(row: Any) -> TaskFailure:
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
        by=row.owner,
        helper=row.task_id if helper_tasks.is_helper(row.task_id) else None,
    )


def _run_ending(row: Any) -> RunEnding:
    return RunEnding(
        took=row.run_end - row.run_start if row.run_start and row.run_end else None,
        cut_short=None if row.task_id is None else _cut_short(row),
        by=row.owner,
        states=row.states or {},
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
