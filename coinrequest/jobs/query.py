"""Reading jobs: one by its id, or pages of them, newest first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import UUID

from sqlalchemy import ARRAY, Row, String, func, literal, select, true, tuple_
from sqlalchemy.orm import Session

from coinrequest.airflow import runs
from coinrequest.database.stored import Unreadable, read_json, unreadable
from coinrequest.database.tables import job as table
from coinrequest.durations import parse_duration
from coinrequest.jobs import failures
from coinrequest.jobs.callback import Callback
from coinrequest.jobs.errors import JobUnknown
from coinrequest.jobs.job import DONE, Job, JobError, Origin, State
from coinrequest.jobtypes import registry
from coinrequest.limits import MEBIBYTE

_STATES: Mapping[str, State] = {state: state for state in get_args(State)}
# Bytes of params as JSON text. Runs from before the limit may have megabytes.
_MAX_LISTED_PARAMS = 1024
_MAX_PARAMS = MEBIBYTE


@dataclass(frozen=True)
class Filters:
    """Filters of a list; those that are None or empty are not applied.

    Attributes:
        labels: names and values that a job must have.
        since: submitted at this time or later, with a zone.
        until: submitted before this time, with a zone.
        visible: the types that the reader may see, which may be many.
    """

    job_type: str | None = None
    state: State | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    submitted_by: str | None = None
    visible: Collection[str] | None = None


def type_of(session: Session, job_id: UUID) -> str | None:
    """Return the type of a job; None: no job has this id."""
    return session.scalar(select(table.c.job_type).where(table.c.id == job_id))


def find(session: Session, job_id: UUID) -> Job:
    """Return a job, with its result or its error once it is done.

    Raises:
        JobUnknown: no job has this id.
    """
    row = session.execute(runs.joined(table, _MAX_PARAMS).where(table.c.id == job_id)).one_or_none()
    if row is None:
        raise JobUnknown(f"No job {job_id}")
    return with_outcome(session, row)


def with_progress(session: Session, job: Job) -> Job:
    """Return the job with its progress, by one more indexed read."""
    return replace(job, progress=runs.progress(session, job.job_type, job.run_id))


def with_outcome(session: Session, row: Row[Any]) -> Job:
    """Return the job of a joined row, with its result or its error."""
    job = _job(row)
    if job.state == "success":
        return replace(job, result=_result(session, job, row.dag_run_id))
    if job.state in DONE:
        return replace(job, error=_error(session, job, row))
    return job


def page(
    session: Session,
    filters: Filters = Filters(),
    *,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[Job]:
    """Return up to `limit` jobs, newest first, without results and errors, and without params of more than 1 KiB.

    Args:
        before: submission time and id of the last job of the previous page.
    """
    # The page is selected from the jobs' own table, by an index, before its runs are joined.
    chosen = select(table)
    if filters.job_type is not None:
        chosen = chosen.where(table.c.job_type == filters.job_type)
    if filters.state is not None:
        chosen = chosen.where(table.c.state == filters.state)
    if filters.submitted_by is not None:
        chosen = chosen.where(table.c.submitted_by == filters.submitted_by)
    if filters.labels:
        chosen = chosen.where(table.c.labels.contains(dict(filters.labels)))
    if filters.since is not None:
        chosen = chosen.where(table.c.submitted_at >= filters.since)
    if filters.until is not None:
        chosen = chosen.where(table.c.submitted_at < filters.until)
    if before is not None:
        chosen = chosen.where(tuple_(table.c.submitted_at, table.c.id) < tuple_(*before))
    newest = _newest(chosen, filters.visible, limit).subquery()
    query = runs.joined(newest, _MAX_LISTED_PARAMS).order_by(newest.c.submitted_at.desc(), newest.c.id.desc())
    return [_job(row) for row in session.execute(query)]


def _newest(chosen: Any, types: Collection[str] | None, limit: int) -> Any:
    """Return the newest of the chosen jobs, of the given types or of all."""
    order = (table.c.submitted_at.desc(), table.c.id.desc())
    if types is None:
        return chosen.order_by(*order).limit(limit)
    # The newest of each type, by the index of types: a reader of few types need not scan the jobs of all others.
    names = func.unnest(literal(list(types), ARRAY(String))).table_valued("name").render_derived()
    of_each = chosen.where(table.c.job_type == names.c.name).order_by(*order).limit(limit).lateral()
    found = select(of_each).select_from(names.join(of_each, true()))
    return found.order_by(of_each.c.submitted_at.desc(), of_each.c.id.desc()).limit(limit)


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        job_type=row.job_type,
        revision=row.revision,
        # A job in an unknown state has ended: nothing changes it.
        state=_STATES.get(row.state, "failed"),
        params=_params_of(row.conf),
        params_omitted=row.params_omitted,
        submitted_by=row.submitted_by,
        submitted_at=row.submitted_at,
        origin=row.origin if row.origin in get_args(Origin) else "airflow",
        priority=row.priority,
        labels=labels_of(row.labels),
        callback=_callback_of(row.callback),
        run_after=row.run_after,
        started_at=row.started_at,
        ended_at=row.ended_at,
        cancelled_by=row.cancelled_by,
        cancelled_at=row.cancelled_at,
        cancel_reason=row.cancel_reason,
        run_id=row.run_id,
    )


def _params_of(stored: str | None) -> Mapping[str, Any]:
    try:
        params = read_json(stored or "{}") or {}
    except Unreadable:
        params = None
    return params if isinstance(params, dict) else unreadable("params")


def labels_of(stored: Any) -> Mapping[str, str]:
    """Return the labels of a row; if they were edited and are none, a mark of that in their place."""
    if isinstance(stored, dict) and all(isinstance(value, str) for value in stored.values()):
        return stored
    return unreadable("labels")


def _callback_of(stored: Any) -> Callback | None:
    try:
        return None if stored is None else Callback.read(stored, None)
    except ValueError:
        return Callback("the stored callback cannot be read", ())


def _result(session: Session, job: Job, dag_run_id: int) -> Any:
    """Return the output of the `result` task of the job's own revision."""
    revision = registry.find(session, job.job_type, job.revision)
    if revision is None:
        return None
    try:
        content: dict[str, Any] = revision.content()
        task_id = str(content.get("result") or content["tasks"][-1]["id"])
        mapped = any(task["id"] == task_id and task.get("for_each") is not None for task in content["tasks"])
    except (LookupError, TypeError, ValueError):
        return unreadable("definition, which names the result,")
    outputs = runs.outputs(session, dag_run_id, task_id)
    return outputs if mapped else next(iter(outputs), None)


def _error(session: Session, job: Job, row: Row[Any]) -> JobError:
    if row.state not in _STATES:
        return JobError(None, None, f"The stored state {row.state!r} is not a state of jobs")
    if job.state == "removed":
        return JobError(None, None, "The run was deleted in Airflow")
    if job.state == "cancelled":
        reason = f": {job.cancel_reason}" if job.cancel_reason else ""
        return JobError(None, None, f"Cancelled by {job.cancelled_by}{reason}")
    return failures.job_error(session, job.job_type, job.run_id, _timeout_of(session, job))


def _timeout_of(session: Session, job: Job) -> timedelta | None:
    """Return the time limit of the job's own revision; None if it has none, or cannot be read."""
    revision = registry.find(session, job.job_type, job.revision)
    try:
        stored = None if revision is None else revision.content().get("timeout")
        return None if stored is None else parse_duration(str(stored))
    except (AttributeError, TypeError, ValueError):
        return None
