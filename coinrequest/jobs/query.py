"""Looking for jobs: one by its id, or pages of them, newest first."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, select, tuple_
from sqlalchemy.orm import Session

from coinrequest.jobs import airflow_runs
from coinrequest.jobs.errors import JobUnknown
from coinrequest.jobs.job import Job, JobError, State
from coinrequest.jobtypes import registry
from coinrequest.tables import job as table


def find(session: Session, job_id: UUID) -> Job:
    """Return one job, with its result or its error once it is done.

    Raises:
        JobUnknown: no job has this id.
    """
    run = airflow_runs.run_table()
    row = session.execute(_joined(run).where(table.c.id == job_id)).one_or_none()
    if row is None:
        raise JobUnknown(f"No job {job_id}")
    job = _job(row)
    if job.state == "success":
        return replace(job, result=_result(session, job, row.dag_run_id))
    if job.state == "failed":
        return replace(job, error=_error(session, job, row.run_id))
    return job


def page(
    session: Session,
    *,
    job_type: str | None = None,
    state: State | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[Job]:
    """Return up to `limit` jobs, newest first, without results and errors.

    Args:
        before: the time of submission and the id of the last job of the page before.
    """
    run = airflow_runs.run_table()
    query = _joined(run)
    if job_type is not None:
        query = query.where(table.c.job_type == job_type)
    if state == "removed":
        query = query.where(run.c.id.is_(None))
    elif state is not None:
        query = query.where(run.c.state == state)
    if before is not None:
        query = query.where(tuple_(table.c.submitted_at, table.c.id) < tuple_(*before))
    query = query.order_by(table.c.submitted_at.desc(), table.c.id.desc()).limit(limit)
    return [_job(row) for row in session.execute(query)]


def _joined(run: Any) -> Any:
    columns = (
        run.c.id.label("dag_run_id"),
        run.c.state,
        run.c.conf,
        run.c.run_after,
        run.c.start_date,
        run.c.end_date,
    )
    on = and_(run.c.dag_id == table.c.job_type, run.c.run_id == table.c.run_id)
    return select(*table.c, *columns).select_from(table.outerjoin(run, on))


def _job(row: Row[Any]) -> Job:
    removed = row.dag_run_id is None
    return Job(
        id=row.id,
        job_type=row.job_type,
        revision=row.revision,
        state="removed" if removed else row.state,
        params=row.conf or {},
        submitted_by=row.submitted_by,
        submitted_at=row.submitted_at,
        run_after=row.run_after,
        started_at=row.start_date,
        ended_at=row.end_date,
        error=JobError(None, None, "The run was deleted in Airflow") if removed else None,
    )


def _result(session: Session, job: Job, dag_run_id: int) -> Any:
    """Return the output of the result task, as the job's own revision names it."""
    revision = registry.find(session, job.job_type, job.revision)
    if revision is None:
        return None
    content: dict[str, Any] = revision.content()
    task_id = content.get("result") or content["tasks"][-1]["id"]
    mapped = any(task["id"] == task_id and task.get("for_each") is not None for task in content["tasks"])
    outputs = airflow_runs.outputs(session, dag_run_id, task_id)
    return outputs if mapped else next(iter(outputs), None)


def _error(session: Session, job: Job, run_id: str) -> JobError:
    failed = airflow_runs.first_failure(session, job.job_type, run_id)
    if failed is None:
        return JobError(None, None, "The job failed, though none of its tasks did: its time limit, or a person")
    task, map_index = failed
    where = f"Task {task!r}" if map_index is None else f"Item {map_index} of task {task!r}"
    return JobError(task, map_index, f"{where} failed; its log says why")
