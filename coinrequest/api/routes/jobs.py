"""Jobs: submit, list, read, cancel, retry."""

import time
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import StringConstraints
from sqlalchemy.orm import Session

from coinrequest.api import cursors, list_filters, problems
from coinrequest.api.authentication import RequestSession, new_session
from coinrequest.api.bodies import OptionalDocument, SubmissionDocument
from coinrequest.api.job_models import JobDetail, JobList, job_detail, job_summary
from coinrequest.api.moments import Moment
from coinrequest.api.openapi import LOCATION, json_body
from coinrequest.api.parameters import Cursor, JobTypeName, Limit, Owners, Root, Submitters, Tags, Types
from coinrequest.api.request_models import Cancel
from coinrequest.api.rights import JobNames, JobReader, JobSubmitter, TypeSubmitter, require_connection
from coinrequest.api.served_queues import known_agents
from coinrequest.jobs import control, listing, query, submission, waiting
from coinrequest.jobs.feed import awaited_jobs
from coinrequest.jobs.job import Job, State
from coinrequest.jobs.listing import Filters
from coinrequest.jobs.submission_body import Submission, read_body, read_submission

router = APIRouter(tags=["Jobs"])

_TIME = "ISO 8601, in UTC if it has no zone, or how long ago, such as `2d` or `1h30m`"


@router.post(
    "/v1/job-types/{name}/jobs",
    status_code=202,
    summary="Submit a job",
    openapi_extra=json_body(Submission, {"params": {"url": "https://example.org"}, "labels": {"team": "data"}}),
    responses={
        200: {
            "model": JobDetail,
            "description": "The job that was submitted before with this key",
            "headers": LOCATION,
        },
        202: {"description": "Accepted", "headers": LOCATION},
        **problems.documented(404, 409, 413, 415, 422),
    },
)
def submit_job(
    user: TypeSubmitter,
    name: JobTypeName,
    document: SubmissionDocument,
    session: RequestSession,
    root: Root,
    response: Response,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern=r"^[ -~]+$",
            description="Your own text. Repeating a submission with its key returns the same job, for 24 h by default",
        ),
    ] = None,
) -> JobDetail:
    """Start a job with the current revision. Follow it at `Location`, for example with `?wait=30`."""
    requested, idempotency_key = read_submission(document, key)
    if requested.callback:
        require_connection(user, requested.callback.secret_connection)
    accepted = submission.submit(session, name, requested, user=user.get_name(), key=idempotency_key)
    detail = job_detail(root, _in_full(session, accepted.job))
    response.headers["Location"] = detail.links.self
    response.status_code = 202 if accepted.created else 200
    return detail


@router.get("/v1/jobs", summary="List the jobs", responses=problems.documented(422))
def list_jobs(
    visible: JobNames,
    session: RequestSession,
    root: Root,
    type: Types = [],  # noqa: B006 - FastAPI copies it, and the others
    state: Annotated[
        list[State], Query(max_length=6, description="Only jobs in this state; if repeated, in any of them")
    ] = [],  # noqa: B006
    label: Annotated[
        list[Annotated[str, StringConstraints(max_length=300)]],
        Query(max_length=20, description="Only jobs with this label, as `name:value`; if repeated, with all of them"),
    ] = [],  # noqa: B006
    owner: Owners = [],  # noqa: B006
    tag: Tags = [],  # noqa: B006
    submitted_by: Submitters = [],  # noqa: B006
    since: Annotated[Moment | None, Query(description=f"Only jobs submitted at or after this time: {_TIME}")] = None,
    until: Annotated[Moment | None, Query(description="Only jobs submitted before this time")] = None,
    ended_since: Annotated[Moment | None, Query(description="Only jobs that ended at or after this time")] = None,
    ended_until: Annotated[Moment | None, Query(description="Only jobs that ended before this time")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> JobList:
    """The jobs that the user may read, newest first, however they were started."""
    list_filters.require_order("until", since, until)
    list_filters.require_order("ended_until", ended_since, ended_until)
    labels = list_filters.labels(label)
    filters = Filters(
        job_types=list_filters.types_among(session, visible, type, owner, tag),
        states=frozenset(state),
        submitters=frozenset(submitted_by),
        labels=labels,
        since=since,
        until=until,
        ended_since=ended_since,
        ended_until=ended_until,
    )
    found = listing.page(session, filters, before=_position(cursor) if cursor else None, limit=limit + 1)
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    warnings = (
        []
        if found or cursor
        else list_filters.warnings(session, visible, types=type, owners=owner, tags=tag, label_names=labels)
    )
    return JobList(
        jobs=[job_summary(root, job) for job in shown],
        next_cursor=cursors.encode(last.submitted_at.isoformat(), str(last.id)) if last else None,
        warnings=warnings,
    )


def _position(cursor: str) -> tuple[datetime, UUID]:
    submitted_at, job_id = cursors.decode(cursor, 2)
    try:
        return datetime.fromisoformat(submitted_at).astimezone(UTC), UUID(job_id)
    except (ValueError, OverflowError):
        raise cursors.CursorInvalid from None


@router.get("/v1/jobs/{id}", summary="Read a job, or wait for it", responses=problems.documented(404, 422))
async def read_job(
    user: JobReader,
    id: UUID,
    root: Root,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the job to be done before responding")
    ] = 0,
) -> JobDetail:
    """A job with its state, times and progress and, once it is done, its result or error."""
    deadline = time.monotonic() + wait
    job = await run_in_threadpool(_read, id)
    while not job.done and (remaining := deadline - time.monotonic()) > 0:
        await awaited_jobs().wait(id, remaining)
        job = await run_in_threadpool(_read, id)
    if not job.done:
        job = await run_in_threadpool(_read_in_full, id)
    return job_detail(root, job)


def _read(job_id: UUID) -> Job:
    with new_session() as session:
        return query.with_progress(session, query.find(session, job_id))


def _read_in_full(job_id: UUID) -> Job:
    with new_session() as session:
        return _in_full(session, query.find(session, job_id))


def _in_full(session: Session, job: Job) -> Job:
    """Return a job with its progress, and with what it waits for."""
    return waiting.with_waiting(session, query.with_progress(session, job), known_agents)


@router.post(
    "/v1/jobs/{id}/cancel",
    summary="Cancel a job",
    openapi_extra=json_body(Cancel, {"reason": "wrong currencies"}, required=False),
    responses=problems.documented(404, 409, 413, 415, 422),
)
def cancel_job(
    user: JobSubmitter, id: UUID, document: OptionalDocument, session: RequestSession, root: Root
) -> JobDetail:
    """Cancel a job that is queued or running. Running tasks stop within seconds. 409 if the job has ended."""
    reason = read_body(document, Cancel).reason
    job = control.cancel(session, id, user=user.get_name(), reason=reason)
    return job_detail(root, _in_full(session, job))


@router.post(
    "/v1/jobs/{id}/retry",
    status_code=202,
    summary="Retry a job",
    responses=problems.documented(404, 409, 422),
)
def retry_job(user: JobSubmitter, id: UUID, session: RequestSession, root: Root) -> JobDetail:
    """Run the unfinished tasks of a failed or cancelled job again, at the same revision. 409 for other jobs."""
    job = control.retry(session, id, user=user.get_name())
    return job_detail(root, _in_full(session, job))
