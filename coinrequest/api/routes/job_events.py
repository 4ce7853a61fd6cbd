"""What happens to a job, as server-sent events."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from coinrequest.airflow.runs import TaskState
from coinrequest.airflow.task_progress import RunningTask
from coinrequest.api import problems
from coinrequest.api.authentication import new_session
from coinrequest.api.job_models import job_detail, job_summary, task_change, task_progress
from coinrequest.api.parameters import Root
from coinrequest.api.rights import JobReader
from coinrequest.jobs import query
from coinrequest.jobs.event_cursor import Snapshot, Told
from coinrequest.jobs.feed import shared_feed, snapshots
from coinrequest.jobs.job import Job

router = APIRouter(prefix="/v1/jobs/{id}", tags=["Jobs"])

# So that no connection stays for ever; the listener comes back by itself, with the id of the last event.
LONGEST_STREAM = 3600.0


class NothingMore(Exception):
    """The listener was told of the job's end, and came back only because the connection ended."""


def nothing_more(_request: Request, _error: Exception) -> Response:
    """Let the listener stop coming back (WHATWG HTML, section 9.2.3: an event source ends with a 204)."""
    return Response(status_code=204)


async def _told(
    user: JobReader,
    id: UUID,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="Of the last event that arrived: what followed it")
    ] = None,
) -> Told:
    """Return what the listener knows already; a job that is unknown is not found before the stream begins."""
    told = Told.read(last_event_id)
    if (await run_in_threadpool(_read, id)).state == told.state and told.done:
        raise NothingMore
    return told


@router.get(
    "/events",
    summary="Follow a job",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "Events `queued`, `running`, `task`, `progress` (what a running task reports) and `done`, "
            "which holds the job with its result"
        },
        204: {"description": "`done` has arrived before, and nothing has happened since"},
        **problems.documented(404, 422),
    },
)
async def follow_job(id: UUID, root: Root, told: Annotated[Told, Depends(_told)]) -> AsyncIterator[ServerSentEvent]:
    """How the job is now and whatever happens to it, until it is done, as server-sent events.

    Whoever comes back with the id of the last event as `Last-Event-ID`, as browsers do, is told the rest and nothing
    twice. A comment comes every 15 seconds, so that a connection that is lost is noticed.
    """
    async with aclosing(shared_feed(_snapshots).follow(id, LONGEST_STREAM)) as changes:
        async for snapshot in changes:
            for new in told.tell(snapshot):
                if isinstance(new, TaskState):
                    yield ServerSentEvent(event="task", data=task_change(new), id=told.id())
                    continue
                if isinstance(new, RunningTask):
                    yield ServerSentEvent(event="progress", data=task_progress(new), id=told.id())
                    continue
                job = await run_in_threadpool(_read, id)
                if not told.done:
                    yield ServerSentEvent(event=new, data=job_summary(root, job), id=told.id())
                elif job.done:
                    yield ServerSentEvent(event="done", data=job_detail(root, job), id=told.id())
                    return


def _read(job_id: UUID) -> Job:
    with new_session() as session:
        return query.with_progress(session, query.find(session, job_id))


def _snapshots(job_ids: Collection[UUID]) -> Mapping[UUID, Snapshot]:
    with new_session() as session:
        return snapshots(session, job_ids)
