"""What is remembered of the schedules of job types, in the caller's transaction (Airflow 3.3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from coinrequest.database.tables import schedule as table

# The rows are few: an index leads to those of each type. The previous run is the last one of an earlier time.
_STATES = text(
    """
    SELECT due.name, schedule.starts_at, schedule.resumed_at, schedule.last_dropped_at, coalesce(schedule.waits, false),
        active.runs, active.since, previous.created_at, previous.end_date
    FROM unnest(CAST(:names AS varchar[]), CAST(:times AS timestamptz[])) AS due(name, at)
    LEFT JOIN coinrequest_schedule AS schedule ON schedule.name = due.name
    CROSS JOIN LATERAL (
        SELECT count(*) AS runs, min(coalesce(created_at, run_after)) AS since FROM dag_run
        WHERE dag_id = due.name AND state IN ('queued', 'running') AND run_type = 'scheduled'
    ) AS active
    LEFT JOIN LATERAL (
        SELECT coalesce(created_at, run_after) AS created_at, end_date FROM dag_run
        WHERE dag_id = due.name AND logical_date < due.at AND run_type = 'scheduled'
        ORDER BY logical_date DESC LIMIT 1
    ) AS previous ON true
    """
)
_ACTIVE_AT = text(
    """
    SELECT count(*) FROM dag_run WHERE dag_id = :name AND run_type = 'scheduled' AND run_after < :at
        AND (state IN ('queued', 'running') OR end_date > :at)
    """
)
_ACTIVE = text(
    """
    SELECT count(*), coalesce((SELECT waits FROM coinrequest_schedule WHERE name = :name), false) FROM dag_run
    WHERE dag_id = :name AND state IN ('queued', 'running') AND run_type = 'scheduled'
    """
)


@dataclass(frozen=True)
class State:
    """What is known of a schedule, and of the jobs that it has started.

    Attributes:
        starts_at: times up to this one are not of this schedule.
        resumed_at: when the type was resumed last.
        dropped_at: the last due time that was dropped.
        waits: whether a due time waits for an earlier job.
        active: how many scheduled jobs are queued or running.
        active_since: when the first of these was created.
        previous_since, previous_end: when the scheduled job of the last earlier time was created, and when it ended.
    """

    starts_at: datetime | None
    resumed_at: datetime | None
    dropped_at: datetime | None
    waits: bool
    active: int
    active_since: datetime | None
    previous_since: datetime | None
    previous_end: datetime | None


@dataclass(frozen=True)
class Dropped:
    """The last due time of a schedule for which no job was started.

    Attributes:
        reason: `overlap`: a scheduled job was queued or running. `paused`: the type was paused. `late`: no scheduler
            took it in time.
    """

    due: datetime
    reason: str


def states(session: Session, due: Mapping[str, datetime]) -> dict[str, State]:
    """Return the state of the schedule of each type, with the time that is due."""
    rows = session.execute(_STATES, {"names": list(due), "times": list(due.values())})
    return {row[0]: State(*row[1:]) for row in rows}


def active_at(session: Session, name: str, at: datetime) -> int:
    """Return how many scheduled jobs of earlier times had not ended at a time."""
    return int(session.execute(_ACTIVE_AT, {"name": name, "at": at}).scalar_one())


def active_and_waits(session: Session, name: str) -> tuple[int, bool]:
    """Return how many scheduled jobs of a type are queued or running, and whether a due time waits for them."""
    active, waits = session.execute(_ACTIVE, {"name": name}).one()
    return int(active), bool(waits)


def begin(session: Session, name: str) -> None:
    """Let the schedule of a type begin now: it has just been created, changed or removed."""
    _write(session, name, starts_at=datetime.now(UTC), last_dropped_at=None, last_dropped_reason=None)


def forget(session: Session, name: str) -> None:
    """Forget the schedule of a type that is deleted."""
    session.execute(delete(table).where(table.c.name == name))


def set_waits(session: Session, name: str, waits: bool) -> None:
    """Note whether a due time waits for an earlier job."""
    _write(session, name, waits=waits)


def drop(session: Session, name: str, dropped: Dropped) -> None:
    """Note that no job is started for a due time, nor for those before."""
    _write(session, name, last_dropped_at=dropped.due, last_dropped_reason=dropped.reason)


def last_dropped(session: Session, name: str) -> Dropped | None:
    """Return the last due time of a type for which no job was started."""
    query = select(table.c.last_dropped_at, table.c.last_dropped_reason).where(
        table.c.name == name, table.c.last_dropped_at.is_not(None), table.c.last_dropped_reason.is_not(None)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else Dropped(row.last_dropped_at, row.last_dropped_reason)


def _write(session: Session, name: str, **values: Any) -> None:
    statement = insert(table).values(name=name, **values)
    session.execute(statement.on_conflict_do_update(index_elements=[table.c.name], set_=values))
