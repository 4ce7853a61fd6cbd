"""The table of notices as a queue that dispatchers share: claim what is due, record each attempt.

A claim is a lease: it moves the next attempt ahead. If a dispatcher dies, its claims become due again. When a
dispatcher records an attempt, the end of the lease also shows whether the notice was still its own.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, String, case, func, literal, select, text, update
from sqlalchemy.orm import Session

from coinrequest.database.tables import notice as table
from coinrequest.notices.outcome import Outcome, storable
from coinrequest.notices.policy import Policy

# The receiver of a notice: scheme, host and port of a URL, or the first word of another destination.
receiver_of: ColumnElement[str] = case(
    (
        table.c.kind == "webhook",
        func.lower(func.coalesce(func.substring(table.c.destination, "^[^/?#]*//[^/?#]*"), table.c.destination)),
    ),
    else_=table.c.kind + literal(" ") + func.split_part(table.c.destination, " ", 1, type_=String),
)

_WRITE_ATTEMPTS = text(
    """
    INSERT INTO coinrequest_notice_attempt (notice_id, number, started_at, seconds, status, error, response)
    SELECT n.id,
        1 + coalesce((SELECT max(a.number) FROM coinrequest_notice_attempt AS a WHERE a.notice_id = n.id), 0),
        CAST(:started_at AS timestamptz), CAST(:seconds AS float8), CAST(:status AS integer),
        CAST(:error AS text), CAST(:response AS text)
    FROM coinrequest_notice AS n WHERE n.id = ANY(:ids)
    """
)


@dataclass(frozen=True)
class Claim:
    """A notice that belongs to one dispatcher until `lease`. Times have a zone (UTC).

    Attributes:
        receiver: the server it goes to, whose limits all its notices share.
        attempts: failed attempts since the notice was created or redelivery was requested.
    """

    id: UUID
    kind: str
    destination: str
    secret_connection: str | None
    secret: str | None = field(repr=False)
    body: str = field(repr=False)
    attempts: int
    give_up_at: datetime
    receiver: str
    lease: datetime


@dataclass(frozen=True)
class Attempt:
    """One attempt: when it started, how many seconds it took, and its outcome."""

    started_at: datetime
    seconds: float
    outcome: Outcome


def claim(
    session: Session,
    *,
    now: datetime,
    lease: datetime,
    limit: int,
    busy: Collection[str],
    held: Collection[UUID],
    capacity: Callable[[str], int],
) -> list[Claim]:
    """Claim due notices, the oldest first, when the caller commits.

    It may claim fewer than are due, but never none if one can be claimed: call it until it returns nothing.

    Args:
        lease: when the claims end.
        limit: the largest number of claims.
        busy: receivers that get nothing now.
        held: notices that this process is delivering, though their leases may have ended.
        capacity: returns how many notices a receiver may get.
    """
    waiting = (
        select(table.c.id, receiver_of.label("receiver"))
        .where(table.c.state == "pending", table.c.next_attempt_at <= now)
        .where(receiver_of.not_in(busy), table.c.id.not_in(held))
        .order_by(table.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    chosen: dict[UUID, str] = {}
    taken: dict[str, int] = {}
    for row in session.execute(waiting):
        taken[row.receiver] = taken.get(row.receiver, 0) + 1
        if taken[row.receiver] <= capacity(row.receiver):
            chosen[row.id] = row.receiver
    if not chosen:
        return []
    leased = update(table).where(table.c.id.in_(chosen)).values(next_attempt_at=lease).returning(*table.c)
    rows = {row.id: row for row in session.execute(leased)}
    return [_claim(rows[id], receiver) for id, receiver in chosen.items()]


def _claim(row: Row[Any], receiver: str) -> Claim:
    return Claim(
        id=row.id,
        kind=row.kind,
        destination=row.destination,
        secret_connection=row.secret_connection,
        secret=row.secret,
        body=row.body,
        attempts=row.attempts,
        give_up_at=row.give_up_at,
        receiver=receiver,
        lease=row.next_attempt_at,
    )


def record(session: Session, claimed: Claim, attempt: Attempt, *, now: datetime, policy: Policy) -> None:
    """Record an attempt and its consequences, when the caller commits."""
    outcome = attempt.outcome
    changed = update(table).where(table.c.id == claimed.id, table.c.state == "pending")
    if not outcome.delivered:
        # If the lease was lost, another dispatcher decides what comes next. A delivery counts in any case.
        changed = changed.where(table.c.next_attempt_at == claimed.lease)
    session.execute(changed.values(attempts=table.c.attempts + 1, **_changes(claimed, outcome, now, policy)))
    _write_attempts(session, [claimed.id], attempt)


def give_up(session: Session, receiver: str, *, now: datetime) -> int:
    """Give up the overdue notices of a receiver that has just failed to answer; return how many.

    Attempted one by one, each would wait for another time-out.
    """
    overdue = (
        update(table)
        .where(table.c.state == "pending", table.c.next_attempt_at <= now)
        .where(table.c.give_up_at <= now, receiver_of == receiver)
        .values(state="failed", ended_at=now)
        .returning(table.c.id)
    )
    ended = list(session.scalars(overdue))
    if ended:
        outcome = Outcome(error="not attempted: its time ran out while the receiver did not answer")
        _write_attempts(session, ended, Attempt(now, 0.0, outcome))
    return len(ended)


def _write_attempts(session: Session, ids: Collection[UUID], attempt: Attempt) -> None:
    outcome = attempt.outcome
    session.execute(
        _WRITE_ATTEMPTS,
        {
            "ids": list(ids),
            "started_at": attempt.started_at,
            "seconds": attempt.seconds,
            "status": outcome.status,
            "error": storable(outcome.error),
            "response": storable(outcome.response),
        },
    )


def _changes(claimed: Claim, outcome: Outcome, now: datetime, policy: Policy) -> dict[str, Any]:
    if outcome.delivered:
        return {"state": "delivered", "ended_at": now}
    if outcome.gone or now >= claimed.give_up_at:
        return {"state": "failed", "ended_at": now}
    again = policy.next_attempt(claimed.attempts + 1, now, claimed.give_up_at, outcome.retry_at)
    return {"next_attempt_at": again, "destination": outcome.remaining or claimed.destination}
