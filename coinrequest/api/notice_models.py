"""Responses about notices."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from coinrequest.api.models import Answer
from coinrequest.notices.delivery_log import Notice, State
from coinrequest.notices.recipients import Kind


class NoticeAttempt(Answer):
    """One attempt to deliver a notice."""

    number: int
    started_at: datetime
    seconds: float = Field(description="How long it took")
    status: int | None = Field(description="The HTTP status; null if there was no response, or for other kinds")
    error: str | None = Field(description="Why the attempt failed; null if it succeeded")
    response: str | None = Field(description="The first 1 KiB of the response")


class NoticeLinks(Answer):
    """Links of a notice."""

    job: str
    redeliver: str = Field(description="POST to deliver it again")


class NoticeDetail(Answer):
    """A message that a job has ended, with every attempt to deliver it."""

    id: UUID = Field(description="A webhook carries it as `webhook-id`: `msg_` and the 32 hexadecimal digits")
    kind: Kind
    destination: str = Field(
        description="A URL without its query, the name of an Airflow connection, or `result`",
        examples=["https://example.org/hook"],
    )
    state: State = Field(description="`failed` if it is no longer tried")
    created_at: datetime
    next_attempt_at: datetime | None = Field(description="null if there will be none")
    give_up_at: datetime = Field(description="When it is given up")
    ended_at: datetime | None = Field(description="When it was delivered, or given up")
    attempts: list[NoticeAttempt]
    links: NoticeLinks


class NoticeList(Answer):
    """All notices of a job, oldest first."""

    notices: list[NoticeDetail]


def notice_detail(root: str, notice: Notice) -> NoticeDetail:
    """Return a notice in full; `root` is the path at which the API is mounted."""
    return NoticeDetail(
        id=notice.id,
        kind=notice.kind,
        destination=notice.destination,
        state=notice.state,
        created_at=notice.created_at,
        next_attempt_at=notice.next_attempt_at,
        give_up_at=notice.give_up_at,
        ended_at=notice.ended_at,
        attempts=[
            NoticeAttempt(
                number=attempt.number,
                started_at=attempt.started_at,
                seconds=attempt.seconds,
                status=attempt.status,
                error=attempt.error,
                response=attempt.response,
            )
            for attempt in notice.attempts
        ],
        links=NoticeLinks(job=f"{root}/v1/jobs/{notice.job_id}", redeliver=f"{root}/v1/notices/{notice.id}/redeliver"),
    )
