"""The table of notices, as the dispatchers share it: claim what is due, record what came of it.

A claim is a lease: it pushes the next attempt some time ahead. Where a dispatcher dies, its claims become due again
by themselves. The lease's end also tells a dispatcher, when it records, whether the notice was still its own.
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

# Whom a notice needs: scheme, host and port of a URL, or the first word of another destination.
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
    """A notice that one dispatcher may deliver until `lease` is over. Times have a zone (UTC).

    Attributes:
        receiver: whom it needs; notices of the same receiver share its limits.
        attempts: how many failed since the notice was made or its delivery was asked for again.
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
    """One try: when it began, the seconds it took, and what came of it."""

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
    room: Callable[[str], int],
) -> list[Claim]:
    """Take notices that are due, the longest due first, when the caller commits.

    It takes at least one if there is one to take, perhaps fewer than there are: call it until it takes none.

    Args:
        lease: until when they are taken.
        limit: at most so many.
        busy: receivers that get nothing now.
        held: notices that this process has in hand, though their lease may be over.
        room: returns how many a receiver may get.
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
        if taken[row.receiver] <= room(row.receiver):
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
    """Write down an attempt and what follows from it, when the caller commits."""
    outcome = attempt.outcome
    changed = update(table).where(table.c.id == claimed.id, table.c.state == "pending")
    if not outcome.delivered:
        # Where the lease is lost, somebody else decides what comes next; a delivery is a delivery all the same.
        changed = changed.where(table.c.next_attempt_at == claimed.lease)
    session.execute(changed.values(attempts=table.c.attempts + 1, **_following(claimed, outcome, now, policy)))
    _write_attempts(session, [claimed.id], attempt)


def give_up(session: Session, receiver: str, *, now: datetime) -> int:
    """End the notices of a receiver that has just not answered, whose time is over; return how many.

    They had their turns, or would have had, had it answered; one by one they would wait for a time-out each.
    """
    over = (
        update(table)
        .where(table.c.state == "pending", table.c.next_attempt_at <= now)
        .where(table.c.give_up_at <= now, receiver_of == receiver)
        .values(state="failed", ended_at=now)
        .returning(table.c.id)
    )
    ended = list(session.scalars(over))
    if ended:
        outcome = Outcome(error="not tried: its time was over while the receiver answered to no notice")
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


def _following(claimed: Claim, outcome: Outcome, now: datetime, policy: Policy) -> dict[str, Any]:
    if outcome.delivered:
        return {"state": "delivered", "ended_at": now}
    if outcome.gone or now >= claimed.give_up_at:
        return {"state": "failed", "ended_at": now}
    again = policy.next_attempt(claimed.attempts + 1, now, claimed.give_up_at, outcome.retry_at)
    return {"next_attempt_at": again, "destination": outcome.remaining or claimed.destination}
