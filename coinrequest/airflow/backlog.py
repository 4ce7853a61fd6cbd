"""How long Airflow's tasks wait for an agent (Airflow 3.3.2).

Airflow calls a run running as soon as the scheduler has seen it, even while all its tasks wait in the broker.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from coinrequest.database.stored import bounded_time

_FIRST_STARTS = text(
    f"""
    SELECT j.id, min({bounded_time("t.start_date")}) AS started_at
    FROM coinrequest_job AS j JOIN task_instance AS t ON t.dag_id = j.job_type AND t.run_id = j.run_id
    WHERE j.id = ANY(CAST(:jobs AS uuid[])) AND t.start_date IS NOT NULL
    GROUP BY j.id
    """  # noqa: S608 - of constants alone
)
_WAITING = text(
    """
    SELECT count(*) FILTER (WHERE waits) AS tasks, count(*) AS active,
        coalesce(extract(epoch FROM now() - min(since) FILTER (WHERE waits)), 0) AS age
    FROM (
        SELECT state IN ('scheduled', 'queued') AS waits, coalesce(scheduled_dttm, queued_dttm) AS since
        FROM task_instance WHERE state IN ('scheduled', 'queued', 'running', 'restarting')
    ) AS task
    """
)


_WAITING_FOR = text(
    """
    SELECT queue, count(*) AS tasks FROM task_instance
    WHERE state IN ('scheduled', 'queued')
        AND coalesce(scheduled_dttm, queued_dttm) < now() - make_interval(secs => :seconds)
    GROUP BY queue ORDER BY queue
    """
)


@dataclass(frozen=True)
class Waiting:
    """Tasks of all DAGs that wait for an agent.

    Attributes:
        tasks: how many wait.
        oldest: seconds for which the oldest of them has waited; 0 if none waits.
        active: how many wait for an agent or run on one.
    """

    tasks: int
    oldest: float
    active: int


def first_starts(session: Session, jobs: Collection[UUID]) -> Mapping[UUID, datetime]:
    """Return when the first task of each of these jobs started (UTC); jobs without one are left out."""
    rows = session.execute(_FIRST_STARTS, {"jobs": [str(job) for job in jobs]})
    return {row.id: row.started_at for row in rows}


def waiting_for(session: Session, seconds: float) -> Mapping[str, int]:
    """Return how many tasks of each queue have waited longer than so many seconds."""
    return {str(row.queue): row.tasks for row in session.execute(_WAITING_FOR, {"seconds": seconds})}


def waiting(session: Session) -> Waiting:
    """Return the tasks that wait now."""
    row = session.execute(_WAITING).one()
    return Waiting(row.tasks, max(float(row.age), 0.0), row.active)
