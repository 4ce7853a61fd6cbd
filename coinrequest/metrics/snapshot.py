"""The current metrics of the installation, read from the database."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from coinrequest.airflow import backlog as airflow_backlog
from coinrequest.airflow.backlog import Waiting
from coinrequest.metrics import counters
from coinrequest.metrics.counters import Counters

# Seconds. A gateway updates its row every few seconds; one that was killed cannot delete it.
GATEWAY_SEEN_WITHIN = 20

# Counted on each read: active jobs are few, and if they are not, that is what the reader needs to see.
_ACTIVE = text(
    """
    SELECT job_type, state, count(*) AS jobs,
        extract(epoch FROM now() - min(greatest(submitted_at, run_after))
            FILTER (WHERE state = 'queued' AND coalesce(run_after, submitted_at) <= now() AND isfinite(submitted_at)))
            AS oldest
    FROM coinrequest_job WHERE state IN ('queued', 'running') GROUP BY job_type, state
    """
)
# An index-only scan of types and states; the rows are much wider.
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
    """Work that is not done yet. Ages are in seconds.

    Attributes:
        active: queued and running jobs, by type and state.
        oldest_queued: how long the oldest due job has waited for the scheduler; 0 if none waits.
        waiting: tasks that wait for an agent, and those that run on one.
        pending_notices: notices that are not delivered yet.
        failed_notices: notices that were given up; they are kept with their jobs.
        oldest_pending_notice: age of the oldest pending notice; 0 if none is pending.
        completions: jobs that have ended and whose notices are not created yet.
    """

    active: Mapping[tuple[str, str], int]
    oldest_queued: float
    waiting: Waiting
    pending_notices: int
    failed_notices: int
    oldest_pending_notice: float
    completions: int


@dataclass(frozen=True)
class Metrics(Backlog):
    """All metrics of one moment.

    Attributes:
        gateways: whether each gateway of the last ten minutes is alive and connected to its channel.
        messages_waiting: channel messages that gateways hold until the database takes them.
        oldest_message: how long the oldest of these has waited; 0 if none waits.
        counters: everything that only grows.
    """

    gateways: Mapping[str, bool]
    messages_waiting: int
    oldest_message: float
    counters: Counters


def take(session: Session) -> Metrics:
    """Return the current metrics."""
    gateways = session.execute(_GATEWAYS, {"within": GATEWAY_SEEN_WITHIN}).all()
    # The broker takes back the messages of a gateway that is gone.
    holding = [row for row in gateways if row.connected and row.waiting]
    return Metrics(
        **vars(backlog(session)),
        gateways={row.name: row.connected for row in gateways},
        messages_waiting=sum(row.waiting for row in holding),
        oldest_message=max((float(row.oldest or 0.0) for row in holding), default=0.0),
        counters=counters.read(session),
    )


def backlog(session: Session) -> Backlog:
    """Return the current backlog. The cost grows with the open work, not with the number of jobs that are kept."""
    active = session.execute(_ACTIVE).all()
    notices = session.execute(_NOTICES).one()
    return Backlog(
        active={(row.job_type, row.state): row.jobs for row in active},
        oldest_queued=max((float(row.oldest) for row in active if row.oldest is not None), default=0.0),
        waiting=airflow_backlog.waiting(session),
        pending_notices=notices.pending,
        failed_notices=notices.failed,
        oldest_pending_notice=float(notices.oldest or 0.0),
        completions=notices.completions,
    )


def retained(session: Session) -> Mapping[tuple[str, str], int]:
    """Return the number of kept jobs by type and state. It scans a whole index: 0.5 s for a million jobs."""
    return {(row.job_type, row.state): row.jobs for row in session.execute(_RETAINED)}
