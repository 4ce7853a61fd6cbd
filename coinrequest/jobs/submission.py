"""Starting a job: the DAG run and the job's row, in the caller's transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from coinrequest.airflow import encryption, runs
from coinrequest.database.tables import job as table
from coinrequest.generator import lifecycle, publishing
from coinrequest.jobs import idempotency_keys, query
from coinrequest.jobs.callback import Callback
from coinrequest.jobs.errors import JobTypePaused, JobUnknown
from coinrequest.jobs.idempotency_keys import Key
from coinrequest.jobs.job import Job, Origin
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.definition import load_definition
from coinrequest.jobtypes.params import check_params
from coinrequest.jobtypes.registry import Revision


@dataclass(frozen=True)
class Submission:
    """What a job is started with.

    Attributes:
        params: checked against the type's schema; defaults are filled in.
        priority: of its tasks, larger is sooner; None: as the definition says.
        run_after: the job does not start before, with a zone; None: at once.
        labels: names and values by which jobs are found.
        callback: who is told when it ends.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    priority: int | None = None
    run_after: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    callback: Callback | None = None

    def content(self) -> dict[str, Any]:
        """Return everything that makes two submissions the same."""
        callback = None if self.callback is None else {**self.callback.stored(), "secret": self.callback.secret}
        return {
            "params": dict(self.params),
            "priority": self.priority,
            "run_after": self.run_after,
            "labels": dict(self.labels),
            "callback": callback,
        }


@dataclass(frozen=True)
class Accepted:
    """A job, and whether this submission created it (or an earlier one under the same key or id)."""

    job: Job
    created: bool


def submit(
    session: Session,
    job_type: str,
    submission: Submission,
    *,
    user: str,
    origin: Origin = "rest",
    job_id: UUID | None = None,
    key: Key | None = None,
) -> Accepted:
    """Start a job of the current revision of `job_type`; it runs when the caller commits.

    Call it first in a transaction: where an older parse has overwritten the DAG, it begins anew.

    Args:
        job_type: the type's name.
        submission: what it is started with.
        user: who submits it.
        origin: by which way.
        job_id: the job's id, where the submitter chose one; the same id again is the same job.
        key: the same key and submission again are the same job.

    Raises:
        JobTypeUnknown: no such type.
        JobTypePaused: the type starts no jobs.
        ParamsInvalid: the params do not fit; all errors.
        KeyReused: the key belongs to another submission.
    """
    digest = idempotency_keys.digest_of(job_type, submission.content()) if key else ""
    if found := _already_there(session, user, job_id, key, digest):
        return Accepted(found, created=False)
    revision, dag = runnable(session, job_type)
    checked = check_params(load_definition(revision.content()), submission.params)
    new = new_job(job_id or new_id(), revision, checked, submission, user=user, origin=origin)
    if key and not idempotency_keys.take(session, user, key, digest, new.id):
        # Somebody else was first; their job is there now, or they failed and the key is free again.
        winner = idempotency_keys.job_under(session, user, key, digest)
        if winner is not None:
            return Accepted(query.find(session, winner), created=False)
        idempotency_keys.take(session, user, key, digest, new.id)
    store(session, dag, new)
    return Accepted(new, created=True)


def new_job(
    job_id: UUID,
    revision: Revision,
    params: Mapping[str, Any],
    submission: Submission,
    *,
    user: str,
    origin: Origin,
) -> Job:
    """Return the job that is submitted now, with its checked params."""
    return Job(
        id=job_id,
        job_type=revision.name,
        revision=revision.number,
        state="queued",
        params=params,
        submitted_by=user,
        submitted_at=datetime.now(UTC),
        origin=origin,
        priority=submission.priority,
        labels=dict(submission.labels),
        run_after=None if submission.run_after is None else submission.run_after.astimezone(UTC),
        callback=submission.callback,
    )


def store(session: Session, dag: Any, job: Job) -> None:
    """Write the job's row and its run, when the caller commits."""
    # The job comes first: the trigger on Airflow's table then finds it, and adds no row of its own.
    session.execute(insert(table).values(**row_of(job)))
    create_run(session, dag, job)


def create_run(session: Session, dag: Any, job: Job) -> None:
    """Create the run of a job whose row is there, when the caller commits."""
    runs.create(session, dag, new_run(job))


def new_run(job: Job) -> runs.NewRun:
    """Return the run of a new job."""
    return runs.NewRun(str(job.id), job.params, job.submitted_by, job.run_after or job.submitted_at, job.priority)


def row_of(job: Job) -> dict[str, Any]:
    """Return the row of a new job."""
    callback = job.callback
    return {
        "id": job.id,
        "job_type": job.job_type,
        "run_id": str(job.id),
        "revision": job.revision,
        "submitted_by": job.submitted_by,
        "submitted_at": job.submitted_at,
        "origin": job.origin,
        "state": job.state,
        "run_after": job.run_after or job.submitted_at,
        "priority": job.priority,
        "labels": dict(job.labels),
        "callback": callback.stored() if callback else None,
        "callback_secret": encryption.encrypt(callback.secret) if callback and callback.secret else None,
    }


def new_id() -> UUID:
    """Return an id that sorts by time (UUID version 7, RFC 9562), so that new rows are neighbours in indexes."""
    from uuid6 import uuid7

    return UUID(int=uuid7().int)


def _already_there(session: Session, user: str, job_id: UUID | None, key: Key | None, digest: str) -> Job | None:
    known = idempotency_keys.job_under(session, user, key, digest) if key else job_id
    if known is None:
        return None
    try:
        return query.find(session, known)
    except JobUnknown:
        return None


def runnable(session: Session, job_type: str) -> tuple[Revision, Any]:
    """Return the current revision and its DAG, and keep both from being deleted until the transaction ends.

    Raises:
        JobTypeUnknown: no such type.
        JobTypePaused: the type starts no jobs.
    """
    found = _current(session, job_type)
    if found is None:
        # An older parse has overwritten the DAG. Healing it takes the registry's lock, which has to come
        # before the lock on the DAG, as it does for whoever registers: so begin anew.
        session.rollback()
        registry.lock(session)
        lifecycle.ensure_published(session, lifecycle.current_revision(session, job_type))
        session.commit()
        found = _current(session, job_type)
    if found is None:
        raise lifecycle.JobTypeUnknown(f"Job type {job_type!r} is being changed; repeat the request")
    return found


def _current(session: Session, job_type: str) -> tuple[Revision, Any] | None:
    # The lock comes first: what is read behind it cannot change before the run is there.
    status = runs.hold(session, job_type)
    revision = lifecycle.current_revision(session, job_type)
    if status is None or status.stale:
        return None
    if status.paused:
        raise JobTypePaused(f"Job type {job_type!r} is paused; POST /jobs/v1/job-types/{job_type}/resume, then repeat")
    dag = publishing.dag_of(session, job_type, revision.number)
    return None if dag is None else (revision, dag)
