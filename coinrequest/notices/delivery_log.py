"""The log of deliveries: read the notices of a job with their attempts, and request another delivery."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import Row, case, func, select, update
from sqlalchemy.orm import Session

from coinrequest.airflow import audit_log
from coinrequest.database.tables import job as job_table
from coinrequest.database.tables import notice as table
from coinrequest.database.tables import notice_attempt as attempt_table
from coinrequest.errors import CoinrequestError
from coinrequest.jobs.callback import without_secrets
from coinrequest.jobs.errors import JobUnknown
from coinrequest.notices.policy import LIFETIME
from coinrequest.notices.recipients import Kind

State = Literal["pending", "delivered", "failed"]


class NoticeUnknown(CoinrequestError):
    """No notice has this id."""


@dataclass(frozen=True)
class Attempt:
    """One attempt to deliver a notice.

    Attributes:
        number: counted from 1, across redeliveries.
        started_at: with a zone (UTC).
        seconds: how long it took.
        status: of the HTTP response, if there was one.
        error: why the notice was not delivered; None: it was.
        response: the beginning of the response.
    """

    number: int
    started_at: datetime
    seconds: float
    status: int | None
    error: str | None
    response: str | None


@dataclass(frozen=True)
class Notice:
    """A message that reports the end of a job. All times have a zone (UTC).

    Attributes:
        destination: without secrets: a URL without user information and query, the name of a connection, or `result`.
        state: `failed` means that it was given up.
        next_attempt_at: of a pending notice; during an attempt, when another gateway would take it over.
        give_up_at: when attempts end.
        ended_at: when it was delivered, or given up.
        attempts: all attempts, in order.
    """

    id: UUID
    job_id: UUID
    kind: Kind
    destination: str
    state: State
    created_at: datetime
    next_attempt_at: datetime | None
    give_up_at: datetime
    ended_at: datetime | None
    attempts: tuple[Attempt, ...]


def notices_of(session: Session, job_id: UUID) -> list[Notice]:
    """Return the notices of a job, oldest first.

    Raises:
        JobUnknown: no job has this id.
    """
    if session.execute(select(job_table.c.id).where(job_table.c.id == job_id)).one_or_none() is None:
        raise JobUnknown(f"No job {job_id}")
    rows = session.execute(select(table).where(table.c.job_id == job_id).order_by(table.c.created_at, table.c.id))
    return _with_attempts(session, rows.all())


def type_of(session: Session, notice_id: UUID) -> str | None:
    """Return the job type of a notice; None: no notice has this id, or its job is gone."""
    jobs = table.join(job_table, job_table.c.id == table.c.job_id)
    return session.scalar(select(job_table.c.job_type).select_from(jobs).where(table.c.id == notice_id))


def redeliver(session: Session, notice_id: UUID, user: str) -> Notice:
    """Deliver a notice again, under the same id, when the caller commits.

    It is due at once, and attempted for as long as a new one. An e-mail or chat notice that failed goes to the
    recipients who did not get it; one that was delivered goes to all of them again.

    Raises:
        NoticeUnknown: no notice has this id.
    """
    now = datetime.now(UTC)
    to_all = (table.c.kind == "apprise") & (table.c.state == "delivered")
    row = session.execute(
        update(table)
        .where(table.c.id == notice_id)
        .values(
            state="pending",
            destination=case(
                (to_all, func.split_part(table.c.destination, " ", 1)),
                else_=table.c.destination,
            ),
            attempts=0,
            next_attempt_at=now,
            give_up_at=now + LIFETIME,
            ended_at=None,
        )
        .returning(*table.c)
    ).one_or_none()
    if row is None:
        raise NoticeUnknown(f"No notice {notice_id}")
    job_type = session.scalar(select(job_table.c.job_type).where(job_table.c.id == row.job_id))
    audit_log.record(
        session, "notice.redeliver", job_type or "", user=user, extra=f"notice {notice_id} of job {row.job_id}"
    )
    (notice,) = _with_attempts(session, [row])
    return notice


def shown(kind: str, destination: str) -> str:
    """Return a destination without what may be secret: user information and query of a URL."""
    return without_secrets(destination) if kind == "webhook" else destination.partition(" ")[0]


def _with_attempts(session: Session, rows: Sequence[Row[Any]]) -> list[Notice]:
    attempts: dict[UUID, list[Attempt]] = {row.id: [] for row in rows}
    for row in session.execute(
        select(attempt_table).where(attempt_table.c.notice_id.in_(attempts)).order_by(attempt_table.c.number)
    ):
        attempts[row.notice_id].append(
            Attempt(row.number, row.started_at, row.seconds, row.status, row.error, row.response)
        )
    return [_notice(row, attempts[row.id]) for row in rows]


def _notice(row: Row[Any], attempts: Sequence[Attempt]) -> Notice:
    known = row.kind in get_args(Kind) and row.state in get_args(State)
    return Notice(
        id=row.id,
        job_id=row.job_id,
        kind=row.kind if row.kind in get_args(Kind) else "webhook",
        destination=shown(row.kind, row.destination) if known else "the stored notice cannot be read",
        # A notice in any other state is not delivered.
        state=row.state if row.state in get_args(State) else "failed",
        created_at=row.created_at,
        next_attempt_at=row.next_attempt_at if row.state == "pending" else None,
        give_up_at=row.give_up_at,
        ended_at=row.ended_at,
        attempts=tuple(attempts),
    )
