"""Runs of a DAG and their tasks: create them, read their states and results (Airflow 3.3.2)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, and_, bindparam, case, cast, func, select, text
from sqlalchemy.orm import Session

from coinrequest.airflow import audit_log, helper_tasks
from coinrequest.airflow.session import params_checked
from coinrequest.airflow.task_progress import Progress, Report, RunningTask
from coinrequest.airflow.task_reports import PROGRESS
from coinrequest.database.stored import Unreadable, bounded_time, read_json, unreadable
from coinrequest.limits import MEBIBYTE

# Characters. A result of 1 MiB is longer as JSON in JSON; reports are short. Longer values were edited by hand.
_LONGEST_RESULT = 4 * MEBIBYTE
_LONGEST_REPORT = 32 * 1024
# A part of the statements below, by an index: the report that a task or item stored under a key.
REPORT = (
    f"(SELECT left(xcom.value::text, {_LONGEST_REPORT}) FROM xcom"  # noqa: S608 - of constants alone
    " WHERE xcom.dag_id = task.dag_id AND xcom.task_id = task.task_id"
    " AND xcom.run_id = task.run_id AND xcom.map_index = task.map_index AND xcom.key = :key)"
)
# Likewise: whether the task is mapped over an empty list; Airflow skips such a task.
EMPTY_LIST = (
    "(task.state = 'skipped' AND EXISTS (SELECT 1 FROM task_map AS items WHERE items.length = 0"
    " AND items.dag_id = task.dag_id AND items.run_id = task.run_id AND items.task_id = task.task_id || :items))"
)
_MOST_RUNNING = 100


@dataclass(frozen=True)
class Status:
    """Whether Airflow starts runs of a DAG."""

    paused: bool
    stale: bool


@dataclass(frozen=True)
class NewRun:
    """A run that is to be created.

    Attributes:
        conf: the params of the job, with marked numbers (`jobtypes/marked_numbers.py`).
        user: who submits it.
        run_after: when it may start, with a zone.
        priority: overrides the priority of the DAG's tasks, unless it is None.
    """

    run_id: str
    conf: Mapping[str, Any]
    user: str
    run_after: datetime
    priority: int | None = None


@dataclass(frozen=True)
class TaskState:
    """One task of a run.

    Attributes:
        map_index: the item of a mapped task; None for other tasks.
        state: Airflow's own state; `success` for a mapped task without items.
        report: its progress, while it runs.
        helper: the task of Airflow that failed in its place, whose log tells why; None for all others.
    """

    task: str
    map_index: int | None
    state: str | None
    attempt: int
    started_at: datetime | None
    ended_at: datetime | None
    report: Report | None = None
    helper: str | None = None


def hold(session: Session, dag_id: str) -> Status | None:
    """Return the status of a DAG, and lock it until the transaction ends; None if there is no such DAG.

    The lock is shared: submissions do not wait for each other, and a deletion waits for them and then sees their runs.
    """
    row = session.execute(
        text("SELECT is_paused, is_stale FROM dag WHERE dag_id = :dag_id FOR SHARE"), {"dag_id": dag_id}
    ).one_or_none()
    return None if row is None else Status(paused=bool(row.is_paused), stale=bool(row.is_stale))


def create(session: Session, dag: Any, run: NewRun) -> None:
    """Create a queued run of `dag`, as Airflow's own trigger route does, and note it in the audit log.

    Its priority does not reach the items of a mapped task, which Airflow creates later.
    """
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    with params_checked(session):
        dag.create_dagrun(
            run_id=run.run_id,
            logical_date=None,
            data_interval=None,
            run_after=run.run_after,
            conf=dict(run.conf),
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.REST_API,
            triggering_user_name=run.user,
            state=DagRunState.QUEUED,
            session=session,
        )
    if run.priority is not None:
        set_priority(session, dag.dag_id, run.run_id, run.priority)
    audit_log.record(session, "job.submit", dag.dag_id, user=run.user, run_id=run.run_id)


def set_priority(session: Session, dag_id: str, run_id: str, priority: int) -> None:
    """Override the priority of all tasks that a run has now."""
    session.execute(
        text("UPDATE task_instance SET priority_weight = :priority WHERE dag_id = :dag_id AND run_id = :run_id"),
        {"priority": priority, "dag_id": dag_id, "run_id": run_id},
    )


def joined(jobs: Any, largest: int) -> Any:
    """Return a query of jobs with `dag_run_id`, `conf` and `params_omitted` of their runs.

    Args:
        jobs: the table of jobs, or a query of it.
        largest: params of more than so many bytes stay in the database.
    """
    from airflow.models.dagrun import DagRun

    run = DagRun.__table__
    on = and_(run.c.dag_id == jobs.c.job_type, run.c.run_id == jobs.c.run_id)
    # The stored size is known without reading the value. It may be compressed, so smaller ones are measured as text.
    written = cast(run.c.conf, Text)
    measured = case((func.pg_column_size(run.c.conf) <= 2 * largest, func.octet_length(written)))
    conf = case((measured <= largest, written)).label("conf")
    omitted = and_(run.c.conf.is_not(None), func.coalesce(measured > largest, True)).label("params_omitted")
    return select(jobs, run.c.id.label("dag_run_id"), conf, omitted).select_from(jobs.outerjoin(run, on))


def outputs(session: Session, dag_run_id: int, task_id: str) -> list[Any]:
    """Return the results of a task in one run: one value, or one for each item of a mapped task."""
    from airflow.models.xcom import XComModel

    rows = session.execute(
        select(func.left(cast(XComModel.value, Text), _LONGEST_RESULT).label("value"))
        .where(XComModel.dag_run_id == dag_run_id, XComModel.task_id == task_id, XComModel.key == "return_value")
        .order_by(XComModel.map_index)
    )
    return [content_of(row.value) for row in rows]


def progress(session: Session, dag_id: str, run_id: str) -> Progress | None:
    """Return the progress of a run, with one indexed read; None if it has no tasks because it was deleted.

    Tasks with a dot in their ids are not in the definition, such as the step that resolves the items of a mapped task.
    """
    row = session.execute(
        text(
            "SELECT count(*) AS tasks,"  # noqa: S608 - of constants alone
            " count(*) FILTER (WHERE task.state IN ('success', 'failed', 'skipped', 'upstream_failed')) AS done,"
            " json_agg(json_build_object('task', task.task_id, 'map_index', task.map_index,"
            f" 'started_at', {bounded_time('task.start_date')}, 'report', {REPORT})"
            " ORDER BY task.start_date, task.task_id, task.map_index) FILTER (WHERE task.state = 'running') AS running"
            " FROM task_instance AS task WHERE task.dag_id = :dag_id AND task.run_id = :run_id"
            " AND task.state IS DISTINCT FROM 'removed' AND strpos(task.task_id, '.') = 0"
        ),
        {"dag_id": dag_id, "run_id": run_id, "key": PROGRESS},
    ).one()
    if not row.tasks:
        return None
    running = [{**task, "report": content_of(task["report"])} for task in (row.running or ())[:_MOST_RUNNING]]
    return Progress(int(row.done), int(row.tasks), tuple(RunningTask.read(task) for task in running))


def task_states(session: Session, job_ids: Collection[UUID]) -> dict[UUID, list[TaskState]]:
    """Return the tasks of some jobs in the order in which they started; those that have not started come last."""
    rows = session.execute(
        text(
            "SELECT job.id, task.task_id, task.map_index, task.try_number,"  # noqa: S608 - of constants alone
            f" CASE WHEN {EMPTY_LIST} THEN 'success' ELSE task.state END AS state,"
            f" {bounded_time('task.start_date')} AS start_date, {bounded_time('task.end_date')} AS end_date,"
            f" CASE WHEN task.state = 'running' THEN {REPORT} END AS report"
            " FROM coinrequest_job AS job"
            " JOIN task_instance AS task ON task.dag_id = job.job_type AND task.run_id = job.run_id"
            " WHERE job.id = ANY(:ids) ORDER BY task.start_date NULLS LAST, task.task_id, task.map_index"
        ).bindparams(bindparam("ids", type_=ARRAY(Uuid))),
        {"ids": list(job_ids), "key": PROGRESS, "items": helper_tasks.ITEMS},
    )
    found: dict[UUID, list[TaskState]] = {}
    for row in rows:
        found.setdefault(UUID(str(row.id)), []).append(
            TaskState(
                row.task_id,
                index_of(row.map_index),
                row.state,
                int(row.try_number),
                row.start_date,
                row.end_date,
                Report.read(content_of(row.report), row.start_date),
            )
        )
    return {job_id: _without_helpers(tasks) for job_id, tasks in found.items()}


def _without_helpers(tasks: list[TaskState]) -> list[TaskState]:
    """Return the tasks of the definition; one whose helper failed has failed itself."""
    helpers = [task for task in tasks if helper_tasks.is_helper(task.task)]
    failed = {helper_tasks.shown_task(task.task): task for task in helpers if task.state == "failed"}
    return [
        task
        if task.map_index is not None or task.task not in failed
        else replace(failed[task.task], task=task.task, helper=failed[task.task].task)
        for task in tasks
        if not helper_tasks.is_helper(task.task)
    ]


def index_of(map_index: int) -> int | None:
    """Return the item of a mapped task; None for other tasks."""
    return None if map_index < 0 else int(map_index)


def content_of(stored: str | None) -> Any:
    """Return what a task sent as JSON text; Airflow stores that as a JSON string, of which `stored` is the JSON."""
    if stored is None:
        return None
    try:
        value = read_json(stored)
    except Unreadable:
        return unreadable("result")
    if not isinstance(value, str):
        return value
    try:
        return read_json(value)
    except Unreadable:
        # Somebody has edited it in Airflow's UI.
        return value
