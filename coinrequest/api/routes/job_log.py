"""The log of a job, as plain text."""

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, StreamingResponse

from coinrequest.api import problems
from coinrequest.api.authentication import RequestSession
from coinrequest.api.rights import LogReader
from coinrequest.jobs import logs, query
from coinrequest.limits import MEBIBYTE

router = APIRouter(prefix="/v1/jobs/{id}", tags=["Jobs"])

# The Airflow UI has the rest.
MAX_LOG_BYTES = 10 * MEBIBYTE
_CHUNK = 64 * 1024


@router.get(
    "/log",
    summary="Read a job's log",
    response_class=PlainTextResponse,
    responses={200: {"description": "The log, at most 10 MiB"}, **problems.documented(404, 422)},
)
def read_log(
    user: LogReader,
    id: UUID,
    session: RequestSession,
    task: Annotated[
        str | None,
        Query(
            max_length=250,
            pattern=r"^[ -~]*$",
            description="Default: the task that failed, or else the one that started last",
        ),
    ] = None,
    map_index: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="The item of a mapped task")] = None,
    attempt: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Default: the last")] = None,
) -> Any:
    """The log of one attempt of one task. 404 if there is none yet; the detail names the tasks that exist."""
    lines = logs.open_log(session, query.find(session, id), task=task, map_index=map_index, attempt=attempt)
    # A job can write anything to its log, so browsers must not interpret it.
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return StreamingResponse(_bounded(lines), media_type="text/plain; charset=utf-8", headers=headers)


def _bounded(lines: Iterator[str]) -> Iterator[bytes]:
    """Yield the lines in larger chunks, and stop at the limit."""
    size, chunk = 0, bytearray()
    for line in lines:
        chunk += f"{line}\n".encode(errors="replace")
        if size + len(chunk) > MAX_LOG_BYTES:
            yield bytes(chunk[: MAX_LOG_BYTES - size])
            yield "\n… the rest is left out; see the Airflow UI\n".encode()
            return
        if len(chunk) >= _CHUNK:
            size += len(chunk)
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk)
