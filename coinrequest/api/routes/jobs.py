"""Jobs: submit, list, follow."""

import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from coinrequest.api import cursors, problems
from coinrequest.api.authentication import Reader, RequestSession, Submitter, new_session
from coinrequest.api.bodies import SubmissionDocument
from coinrequest.api.models import JobDetail, JobList, job_detail, job_summary
from coinrequest.api.openapi import LOCATION, json_body
from coinrequest.api.parameters import Cursor, JobTypeName, Limit, Root
from coinrequest.jobs import query, submission
from coinrequest.jobs.job import Job, State
from coinrequest.jobs.query import Filters
from coinrequest.jobs.watch import shared_watch
from coinrequest.jobtypes.errors import FieldError, ParamsInvalid

router = APIRouter(tags=["Jobs"])


class Submission(BaseModel):
    """What a job is started with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    params: dict[str, Any] = Field(
        default_factory=dict, description="Checked against the type's `params` schema; defaults are filled in"
    )
    run_after: AwareDatetime | None = Field(
        default=None,
        description="ISO 8601 with a zone; the job does not start before",
        examples=["2030-01-31T08:00:00+01:00"],
    )


@router.post(
    "/v1/job-types/{name}/jobs",
    status_code=202,
    summary="Submit a job",
    openapi_extra=json_body(Submission, {"params": {"url": "https://example.org"}}),
    responses={
        202: {"description": "Accepted", "headers": LOCATION},
        **problems.documented(404, 409, 413, 415, 422),
    },
)
def submit_job(
    user: Submitter,
    name: JobTypeName,
    document: SubmissionDocument,
    session: RequestSession,
    root: Root,
    response: Response,
) -> JobDetail:
    """Start a job of the current revision. Follow it at `Location`, for example with `?wait=30`."""
    asked = _submission(document)
    accepted = submission.submit(
        session,
        name,
        submission.Submission(params=asked.params, run_after=asked.run_after),
        user=user.get_name(),
    )
    detail = job_detail(root, accepted.job)
    response.headers["Location"] = detail.links.self
    return detail


def _submission(document: dict[str, Any]) -> Submission:
    try:
        return Submission.model_validate(document)
    except ValidationError as error:
        raise ParamsInvalid(
            FieldError(problems.field_path(entry["loc"]), _message(entry)) for entry in error.errors()
        ) from error


def _message(entry: Any) -> str:
    if entry["type"] == "extra_forbidden":
        return f"is not a field of a submission; it has {', '.join(Submission.model_fields)}"
    return str(entry["msg"])


@router.get("/v1/jobs", summary="List the jobs", responses=problems.documented(422))
def list_jobs(
    user: Reader,
    session: RequestSession,
    root: Root,
    type: Annotated[
        str | None, Query(max_length=100, pattern=r"^[ -~]*$", description="Only jobs of this type")
    ] = None,
    state: Annotated[State | None, Query(description="Only jobs in this state")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> JobList:
    """The jobs that were submitted to this service, newest first."""
    found = query.page(
        session,
        Filters(job_type=type, state=state),
        before=_position(cursor) if cursor else None,
        limit=limit + 1,
    )
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    return JobList(
        jobs=[job_summary(root, job) for job in shown],
        next_cursor=cursors.encode(last.submitted_at.isoformat(), str(last.id)) if last else None,
    )


def _position(cursor: str) -> tuple[datetime, UUID]:
    submitted_at, job_id = cursors.decode(cursor, 2)
    try:
        return datetime.fromisoformat(submitted_at).astimezone(UTC), UUID(job_id)
    except (ValueError, OverflowError):
        raise cursors.CursorInvalid from None


@router.get("/v1/jobs/{id}", summary="Read a job, or wait for it", responses=problems.documented(404, 422))
async def read_job(
    user: Reader,
    id: UUID,
    root: Root,
    wait: Annotated[float, Query(ge=0, le=60, description="Answer when the job is done, or after so many seconds")] = 0,
) -> JobDetail:
    """A job with its state, its times and, once it is done, its result or its error."""
    until = time.monotonic() + wait
    job = await run_in_threadpool(_read, id)
    while not job.done and (left := until - time.monotonic()) > 0:
        await shared_watch(_finished).wait(id, left)
        job = await run_in_threadpool(_read, id)
    return job_detail(root, job)


def _read(job_id: UUID) -> Job:
    with new_session() as session:
        return query.find(session, job_id)


def _finished(job_ids: Collection[UUID]) -> set[UUID]:
    with new_session() as session:
        return query.finished(session, job_ids)
