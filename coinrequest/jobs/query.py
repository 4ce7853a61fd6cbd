"""Reading a job by its id, or from a row of a list."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from coinrequest.airflow import runs
from coinrequest.database.stored import Unreadable, read_json, unreadable
from coinrequest.database.tables import job as table
from coinrequest.durations import parse_duration
from coinrequest.jobs import failures
from coinrequest.jobs.callback import Callback
from coinrequest.jobs.errors import JobUnknown
from coinrequest.jobs.job import DONE, Job, JobError, Origin, State
from coinrequest.jobs.shown_params import with_defaults_of_types
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.marked_numbers import unmark_params
from coinrequest.jobtypes.registry import Revision
from coinrequest.limits import MEBIBYTE

_STATES: Mapping[str, State] = {state: state for state in get_args(State)}
# Bytes of params as JSON text. Runs from before the limit may have megabytes.
_MAX_PARAMS = MEBIBYTE


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
    (job,) = with_defaults_of_types(session, [read_row(row)], _MAX_PARAMS)
    if job.state == "success":
        return replace(job, result=_result(session, job, row.dag_run_id))
    if job.state in DONE:
        return replace(job, error=errors_of(session, [(job, row)])[job.id])
    return job


def read_row(row: Row[Any]) -> Job:
    """Return the job of a joined row, without its result or its error."""
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
    return unmark_params(params) if isinstance(params, dict) else unreadable("params")


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


def errors_of(session: Session, found: Iterable[tuple[Job, Row[Any]]]) -> dict[UUID, JobError]:
    """Return why the jobs of joined rows did not succeed, by three queries at most."""
    told: dict[UUID, JobError] = {}
    failed: list[Job] = []
    for job, row in found:
        error = _told_error(job, row)
        if error is None:
            failed.append(job)
        else:
            told[job.id] = error
    timeouts = _timeouts(session, failed)
    errors = failures.job_errors(session, {(job.job_type, job.run_id): timeouts[job.id] for job in failed})
    return told | {job.id: errors[job.job_type, job.run_id] for job in failed}


def _told_error(job: Job, row: Row[Any]) -> JobError | None:
    """Return why a job did not succeed if its own row tells; None if its tasks tell."""
    if row.state not in _STATES:
        return JobError(None, None, f"The stored state {row.state!r} is not a state of jobs")
    if job.state == "removed":
        return JobError(None, None, "The run was deleted in Airflow")
    if job.state == "cancelled":
        reason = f": {job.cancel_reason}" if job.cancel_reason else ""
        return JobError(None, None, f"Cancelled by {job.cancelled_by}{reason}")
    return None


def _timeouts(session: Session, jobs: Collection[Job]) -> dict[UUID, timedelta | None]:
    """Return the time limits of the jobs' own revisions; None if one has none, or cannot be read."""
    revisions = registry.numbered(session, {job.revision for job in jobs}) if jobs else {}
    limits = {number: _timeout_of(revision) for number, revision in revisions.items()}
    return {job.id: limits.get(job.revision) for job in jobs}


def _timeout_of(revision: Revision) -> timedelta | None:
    try:
        stored = revision.content().get("timeout")
        return None if stored is None else parse_duration(str(stored))
    except (AttributeError, TypeError, ValueError):
        return None
