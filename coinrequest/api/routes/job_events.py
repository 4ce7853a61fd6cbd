"""Events of a job, as server-sent events."""

from collections.abc import AsyncIterator
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
from coinrequest.errors import CoinrequestError
from coinrequest.jobs import query
from coinrequest.jobs.event_cursor import EventCursor
from coinrequest.jobs.feed import followed_jobs
from coinrequest.jobs.job import Job

router = APIRouter(prefix="/v1/jobs/{id}", tags=["Jobs"])

# Seconds after which a connection is closed; the client reconnects with the id of its last event.
LONGEST_STREAM = 3600.0


class NoMoreEvents(CoinrequestError):
    """The job has ended, and the client, which has reconnected, has received all its events."""


def no_more_events(_request: Request, _error: Exception) -> Response:
    """Answer 204, which stops an event source from reconnecting (WHATWG HTML, section 9.2.3)."""
    return Response(status_code=204)


async def _cursor(
    user: JobReader,
    id: UUID,
    last_event_id: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="The id of the last event received; the stream continues after it"),
    ] = None,
) -> EventCursor:
    """Return the client's position in the stream. It runs before the stream starts, so an unknown job is a 404."""
    cursor = EventCursor.read(last_event_id, id)
    if (await run_in_threadpool(_read, id)).state == cursor.state and cursor.done:
        raise NoMoreEvents
    return cursor


@router.get(
    "/events",
    summary="Follow a job",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "The events `queued`, `running`, `task`, `progress` (the report of a running task) and "
            "`done`, which has the job with its result"
        },
        204: {"description": "`done` was sent before, and there are no events after it"},
        **problems.documented(404, 422),
    },
)
async def follow_job(
    id: UUID, root: Root, cursor: Annotated[EventCursor, Depends(_cursor)]
) -> AsyncIterator[ServerSentEvent]:
    """The current state of the job and all changes until it is done, as server-sent events.

    A client that reconnects with `Last-Event-ID`, as browsers do, gets the events after that one, and none twice. A
    comment every 15 seconds reveals a lost connection.
    """
    async with aclosing(followed_jobs().follow(id, LONGEST_STREAM)) as changes:
        async for snapshot in changes:
            for new in cursor.advance(snapshot):
                if isinstance(new, TaskState):
                    yield ServerSentEvent(event="task", data=task_change(new), id=cursor.id())
                    continue
                if isinstance(new, RunningTask):
                    yield ServerSentEvent(event="progress", data=task_progress(new), id=cursor.id())
                    continue
                job = await run_in_threadpool(_read, id)
                if not cursor.done:
                    yield ServerSentEvent(event=new, data=job_summary(root, job), id=cursor.id())
                elif job.done:
                    yield ServerSentEvent(event="done", data=job_detail(root, job), id=cursor.id())
                    return


def _read(job_id: UUID) -> Job:
    with new_session() as session:
        return query.with_progress(session, query.find(session, job_id))
