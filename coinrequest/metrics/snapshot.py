"""What the installation does right now, as figures from the database."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from coinrequest.airflow import backlog as airflow_waiting
from coinrequest.airflow.backlog import Waiting
from coinrequest.metrics import counters
from coinrequest.metrics.counters import Tallies

# Seconds. A gateway reports itself every few seconds; one that was killed cannot take its row away.
GATEWAY_SEEN_WITHIN = 20

# Active jobs are few, or are the trouble that somebody wants to see: they are counted each time.
_ACTIVE = text(
    """
    SELECT job_type, state, count(*) AS jobs,
        extract(epoch FROM now() - min(greatest(submitted_at, run_after))
            FILTER (WHERE state = 'queued' AND coalesce(run_after, submitted_at) <= now() AND isfinite(submitted_at)))
            AS oldest
    FROM coinrequest_job WHERE state IN ('queued', 'running') GROUP BY job_type, state
    """
)
# Answered from the index of types and states alone, where the rows are wider than it.
_RETAINED = text("SELECT job_type, state, count(*) AS jobs FROM coinrequest_job GROUP BY job_type, state")
_NOTICES = text(
    """
    SELECT
        (SELECT count(*) FROM coinrequest_notice WHERE state = 'pending') AS pending,
        (SELECT count(*) FROM coinrequest_notice WHERE state = 'failed') AS failed,
        (SELECT extract(epoch FROM now() - min(created_at)) FROM coinrequest_notice
            WHERE state = 'pending' AND isfinite(created_at)) AS oldest,
        (SELECT count(*) FROM coinrequest_completion) AS completions
    """
)
_GATEWAYS = text(
    """
    SELECT name, seen_at > now() - make_interval(secs => :within) AND channel <> 'disconnected' AS connected,
        coalesce(waiting, 0) AS waiting, extract(epoch FROM now() - waiting_since) AS oldest
    FROM coinrequest_gateway WHERE seen_at > now() - interval '10 minutes' ORDER BY name
    """
)


@dataclass(frozen=True)
class Backlog:
    """What is to be done at one moment; ages in seconds.

    Attributes:
        active: jobs that are queued or running, by type and state.
        oldest_queued: how long ago the job could have started that the scheduler has not started yet; 0: none.
        waiting: tasks that wait for an agent, and those that run on one.
        pending_notices: not delivered yet.
        failed_notices: given up, and kept with their jobs.
        oldest_pending_notice: its age; 0: none is pending.
        completions: jobs that ended, and whose notices are not made yet.
    """

    active: Mapping[tuple[str, str], int]
    oldest_queued: float
    waiting: Waiting
    pending_notices: int
    failed_notices: int
    oldest_pending_notice: float
    completions: int


@dataclass(frozen=True)
class Measures(Backlog):
    """All figures of one moment.

    Attributes:
        gateways: whether each gateway of the last ten minutes lives and reaches its channel.
        messages_waiting: of the channel, which the database did not take yet.
        oldest_message: how long the one of them has waited that waits longest; 0: none waits.
        tallies: what was counted since the installation was made.
    """

    gateways: Mapping[str, bool]
    messages_waiting: int
    oldest_message: float
    tallies: Tallies


def take(session: Session) -> Measures:
    """Return all figures of this moment."""
    gateways = session.execute(_GATEWAYS, {"within": GATEWAY_SEEN_WITHIN}).all()
    # What a gateway held that is gone is the broker's again.
    held = [row for row in gateways if row.connected and row.waiting]
    return Measures(
        **vars(backlog(session)),
        gateways={row.name: row.connected for row in gateways},
        messages_waiting=sum(row.waiting for row in held),
        oldest_message=max((float(row.oldest or 0.0) for row in held), default=0.0),
        tallies=counters.read(session),
    )


def backlog(session: Session) -> Backlog:
    """Return what is to be done now; it costs as much as there is to do, not as much as was ever done."""
    active = session.execute(_ACTIVE).all()
    notices = session.execute(_NOTICES).one()
    return Backlog(
        active={(row.job_type, row.state): row.jobs for row in active},
        oldest_queued=max((float(row.oldest) for row in active if row.oldest is not None), default=0.0),
        waiting=airflow_waiting.waiting(session),
        pending_notices=notices.pending,
        failed_notices=notices.failed,
        oldest_pending_notice=float(notices.oldest or 0.0),
        completions=notices.completions,
    )


def retained(session: Session) -> Mapping[tuple[str, str], int]:
    """Return how many jobs are kept, by type and state; a read of a whole index, half a second for a million jobs."""
    return {(row.job_type, row.state): row.jobs for row in session.execute(_RETAINED)}
