"""Counters of completed jobs and of messages that only grow, for the metrics: kept when jobs are cleaned away."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from coinrequest.airflow.backlog import first_starts
from coinrequest.database.tables import tally as table
from coinrequest.jobs.job import Job

# Upper bounds in seconds, written as OpenMetrics wants it. A trivial job takes half a second; a task may run for a day.
QUEUE_BOUNDS = ("0.25", "0.5", "1.0", "2.5", "5.0", "15.0", "60.0", "300.0", "1800.0")
DURATION_BOUNDS = ("0.5", "1.0", "2.5", "5.0", "15.0", "60.0", "300.0", "1800.0", "7200.0", "43200.0")
_INFINITE = "+Inf"
_SUM = "sum"
# Of no type: a message that is refused may name none.
_MESSAGES = "messages"

# Sorted by the key: two gateways that count the same types wait for each other, and never in a circle.
_ADD = text(
    """
    INSERT INTO coinrequest_tally AS t (job_type, measure, label, value)
    SELECT * FROM unnest(
        CAST(:job_types AS text[]), CAST(:measures AS text[]), CAST(:labels AS text[]), CAST(:values AS float8[]))
    ON CONFLICT (job_type, measure, label) DO UPDATE SET value = t.value + excluded.value
    """
)


@dataclass(frozen=True)
class Histogram:
    """How often something took how long.

    Attributes:
        buckets: upper bounds in seconds, as Prometheus writes them, each with how many took at most so long; the
            last one, `+Inf`, has all.
        total: the sum of all in seconds.
    """

    buckets: tuple[tuple[str, float], ...]
    total: float


@dataclass(frozen=True)
class Tallies:
    """What was counted since the installation was made.

    Attributes:
        completed: how many jobs ended, by type and state.
        queue: seconds from when a job could have started until an agent began with it, by type.
        duration: seconds from then to its end, by type.
        messages: how many messages of the channel were stored, known or refused.
    """

    completed: Mapping[tuple[str, str], float]
    queue: Mapping[str, Histogram]
    duration: Mapping[str, Histogram]
    messages: Mapping[str, float]


def record(session: Session, jobs: Sequence[Job]) -> None:
    """Count jobs that have ended, when the caller commits. A job that runs again is counted again."""
    added: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    if not jobs:
        return
    firsts = first_starts(session, [job.id for job in jobs])
    for job in jobs:
        added[job.job_type, "completed", job.state] += 1
        if job.started_at is None:
            continue
        could_start = max(job.submitted_at, job.run_after or job.submitted_at)
        # A run that waits for an agent has "started". Where a job ran again, its first task started before the run did.
        first = firsts.get(job.id, job.started_at)
        _observe(added, job.job_type, "queue", first - could_start, QUEUE_BOUNDS)
        if job.ended_at is not None:
            _observe(added, job.job_type, "duration", job.ended_at - max(first, job.started_at), DURATION_BOUNDS)
    _add(session, added)


def count_messages(session: Session, counts: Mapping[str, int]) -> None:
    """Count messages of the channel by what became of them, when the caller commits."""
    if counts:
        _add(session, {("", _MESSAGES, outcome): count for outcome, count in counts.items()})


def _add(session: Session, added: Mapping[tuple[str, str, str], float]) -> None:
    keys = sorted(added)
    session.execute(
        _ADD,
        {
            "job_types": [key[0] for key in keys],
            "measures": [key[1] for key in keys],
            "labels": [key[2] for key in keys],
            "values": [added[key] for key in keys],
        },
    )


def _observe(
    added: defaultdict[tuple[str, str, str], float], job_type: str, measure: str, took: timedelta, bounds: Sequence[str]
) -> None:
    # Airflow's clocks may differ by milliseconds from ours, and a sum must not shrink.
    seconds = max(took.total_seconds(), 0.0)
    bucket = next((bound for bound in bounds if seconds <= float(bound)), _INFINITE)
    added[job_type, measure, bucket] += 1
    added[job_type, measure, _SUM] += seconds


def read(session: Session) -> Tallies:
    """Return all counters."""
    completed: dict[tuple[str, str], float] = {}
    messages: dict[str, float] = {}
    measured: dict[str, dict[str, dict[str, float]]] = {"queue": defaultdict(dict), "duration": defaultdict(dict)}
    for job_type, measure, label, value in session.execute(select(table).order_by(table.c.job_type)):
        if measure == "completed":
            completed[job_type, label] = value
        elif measure == _MESSAGES:
            messages[label] = value
        elif measure in measured:
            measured[measure][job_type][label] = value
    return Tallies(
        completed,
        {job_type: _histogram(found, QUEUE_BOUNDS) for job_type, found in measured["queue"].items()},
        {job_type: _histogram(found, DURATION_BOUNDS) for job_type, found in measured["duration"].items()},
        messages,
    )


def _histogram(found: Mapping[str, Any], bounds: Sequence[str]) -> Histogram:
    """Return the histogram; its buckets are cumulative, those in the table are not, so that a job touches one."""
    count, buckets = 0.0, []
    for bound in (*bounds, _INFINITE):
        count += found.get(bound, 0.0)
        buckets.append((bound, count))
    return Histogram(tuple(buckets), found.get(_SUM, 0.0))
