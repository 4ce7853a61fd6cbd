"""Cancelling and retrying jobs, in the caller's transaction."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from coinrequest.airflow import audit_log, run_control, runs
from coinrequest.database.tables import job as table
from coinrequest.jobs import query
from coinrequest.jobs.errors import JobDone, JobNotFailed, JobTypeGone, JobTypePaused
from coinrequest.jobs.job import Job


def cancel(session: Session, job_id: UUID, *, user: str, reason: str | None = None) -> Job:
    """Cancel a queued or running job, when the caller commits; return it, cancelled.

    Args:
        user: who cancels it.
        reason: why; shown with the job.

    Raises:
        JobUnknown: no job has this id.
        JobDone: the job has ended.
    """
    job = _lock(session, job_id)
    if job.done:
        raise JobDone(f"Job {job_id} has ended ({job.state}), so it cannot be cancelled")
    # Before the run fails, so that the trigger on Airflow's table records a cancellation rather than a failure.
    _update(session, job_id, cancelled_by=user, cancelled_at=datetime.now(UTC), cancel_reason=reason)
    run_control.fail(session, job.job_type, job.run_id)
    audit_log.record(session, "job.cancel", job.job_type, user=user, run_id=job.run_id, extra=reason)
    return query.find(session, job_id)


def retry(session: Session, job_id: UUID, *, user: str) -> Job:
    """Run the failed and skipped tasks of a job again, when the caller commits; return it, queued.

    It keeps its revision and its params. Notices are sent again when it ends.

    Raises:
        JobUnknown: no job has this id.
        JobNotFailed: the job has neither failed nor been cancelled.
        JobTypeGone: its type was deleted, so that Airflow would leave it queued for ever.
        JobTypePaused: its type starts no jobs.
    """
    job_type = query.find(session, job_id).job_type
    # Locks are taken in the same order as by submissions and deletions: the type, the run, the job.
    status = runs.hold(session, job_type)
    job = _lock(session, job_id)
    if job.state not in ("failed", "cancelled"):
        raise JobNotFailed(f"Job {job_id} is {job.state}; only a failed or cancelled job can be retried")
    if status is None or status.stale:
        raise JobTypeGone(f"Job type {job_type!r} was deleted; register it again, then repeat")
    if status.paused:
        raise JobTypePaused(f"Job type {job_type!r} is paused; POST /jobs/v1/job-types/{job_type}/resume, then repeat")
    _update(session, job_id, cancelled_by=None, cancelled_at=None, cancel_reason=None)
    run_control.rerun(session, job_type, job.run_id)
    if job.priority is not None:
        runs.set_priority(session, job_type, job.run_id, job.priority)
    audit_log.record(session, "job.retry", job_type, user=user, run_id=job.run_id)
    return query.find(session, job_id)


def _lock(session: Session, job_id: UUID) -> Job:
    """Lock a job until the transaction ends, and return it."""
    job = query.find(session, job_id)
    # Airflow's row first, then ours, as in the transactions in which the trigger runs.
    run_control.lock_run(session, job.job_type, job.run_id)
    session.execute(select(table.c.id).where(table.c.id == job_id).with_for_update())
    return query.find(session, job_id)


def _update(session: Session, job_id: UUID, **values: str | datetime | None) -> None:
    session.execute(update(table).where(table.c.id == job_id).values(**values))
