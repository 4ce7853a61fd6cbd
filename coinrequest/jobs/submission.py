"""Starting a job: the DAG run and the job's row, in the caller's transaction."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from coinrequest.generator import lifecycle
from coinrequest.jobs import airflow_runs
from coinrequest.jobs.errors import JobTypePaused
from coinrequest.jobs.job import Job
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.definition import load_definition
from coinrequest.jobtypes.params import check_params
from coinrequest.jobtypes.registry import Revision
from coinrequest.tables import job as table


def submit(
    session: Session,
    job_type: str,
    params: Mapping[str, Any],
    *,
    user: str,
    run_after: datetime | None = None,
) -> Job:
    """Start a job of the current revision of `job_type`; it runs when the caller commits.

    Call it first in a transaction: where an older parse has overwritten the DAG, it begins anew.

    Args:
        params: checked against the type's schema; defaults are filled in.
        user: who submits it.
        run_after: the job does not start before, with a zone; None: at once.

    Raises:
        JobTypeUnknown: no such type.
        JobTypePaused: the type starts no jobs.
        ParamsInvalid: the params do not fit; all errors.
    """
    revision, dag = _runnable(session, job_type)
    checked = check_params(load_definition(revision.content()), params)
    now = datetime.now(UTC)
    job_id = new_id()
    airflow_runs.create(session, dag, run_id=str(job_id), params=checked, user=user, run_after=run_after or now)
    session.execute(
        insert(table).values(
            id=job_id,
            job_type=job_type,
            run_id=str(job_id),
            revision=revision.number,
            submitted_by=user,
            submitted_at=now,
        )
    )
    return Job(
        id=job_id,
        job_type=job_type,
        revision=revision.number,
        state="queued",
        params=checked,
        submitted_by=user,
        submitted_at=now,
        run_after=run_after or now,
    )


def new_id() -> UUID:
    """Return an id that sorts by time (UUID version 7, RFC 9562), so that new rows are neighbours in indexes."""
    from uuid6 import uuid7

    return UUID(int=uuid7().int)


def _runnable(session: Session, job_type: str) -> tuple[Revision, Any]:
    """Return the current revision and its DAG, and keep both from being deleted until the transaction ends."""
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
    status = airflow_runs.hold(session, job_type)
    revision = lifecycle.current_revision(session, job_type)
    if status is None or status.stale:
        return None
    if status.paused:
        raise JobTypePaused(f"Job type {job_type!r} is paused; POST /jobs/v1/job-types/{job_type}/resume, then repeat")
    dag = airflow_runs.dag_of(session, job_type, revision.number)
    return None if dag is None else (revision, dag)
