"""Counters of completed jobs and of channel messages. They only grow: deleting old jobs does not reset them."""

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

# Upper bounds in seconds, in OpenMetrics notation. A trivial job takes half a second; a task may run for a day.
QUEUE_BOUNDS = ("0.25", "0.5", "1.0", "2.5", "5.0", "15.0", "60.0", "300.0", "1800.0")
DURATION_BOUNDS = ("0.5", "1.0", "2.5", "5.0", "15.0", "60.0", "300.0", "1800.0", "7200.0", "43200.0")
_INFINITE = "+Inf"
_SUM = "sum"
# Counted without a job type: a refused message may not name one.
_MESSAGES = "messages"

# Rows are sorted by key, so that two gateways that update the same counters cannot deadlock.
_ADD = text(
    """
    INSERT INTO coinrequest_tally AS t (job_type, measure, label, value)
    SELECT * FROM unnest(
        CAST(:job_types AS text[]), CAST(:metrics AS text[]), CAST(:labels AS text[]), CAST(:values AS float8[]))
    ON CONFLICT (job_type, measure, label) DO UPDATE SET value = t.value + excluded.value
    """
)


@dataclass(frozen=True)
class Histogram:
    """A histogram of durations.

    Attributes:
        buckets: upper bounds in seconds, in Prometheus notation, each with the number of observations up to it; the
            last one, `+Inf`, counts all.
        total: the sum of all observations in seconds.
    """

    buckets: tuple[tuple[str, float], ...]
    total: float


@dataclass(frozen=True)
class Counters:
    """All counters since the installation was created.

    Attributes:
        completed: jobs that have ended, by type and state.
        queue: seconds from when a job was due until an agent started it, by type.
        duration: seconds from that start to the end of the job, by type.
        messages: channel messages by outcome: stored, known or refused.
    """

    completed: Mapping[tuple[str, str], float]
    queue: Mapping[str, Histogram]
    duration: Mapping[str, Histogram]
    messages: Mapping[str, float]


def record(session: Session, jobs: Sequence[Job]) -> None:
    """Count jobs that have ended, when the caller commits. A job that is retried is counted again."""
    added: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    if not jobs:
        return
    firsts = first_starts(session, [job.id for job in jobs])
    for job in jobs:
        added[job.job_type, "completed", job.state] += 1
        if job.started_at is None:
            continue
        could_start = max(job.submitted_at, job.run_after or job.submitted_at)
        # Airflow calls a run started while it still waits for an agent. The first task of a retried job may have
        # started before the run.
        first = firsts.get(job.id, job.started_at)
        _observe(added, job.job_type, "queue", first - could_start, QUEUE_BOUNDS)
        if job.ended_at is not None:
            _observe(added, job.job_type, "duration", job.ended_at - max(first, job.started_at), DURATION_BOUNDS)
    _add(session, added)


def count_messages(session: Session, counts: Mapping[str, int]) -> None:
    """Count channel messages by outcome, when the caller commits."""
    if counts:
        _add(session, {("", _MESSAGES, outcome): count for outcome, count in counts.items()})


def _add(session: Session, added: Mapping[tuple[str, str, str], float]) -> None:
    keys = sorted(added)
    session.execute(
        _ADD,
        {
            "job_types": [key[0] for key in keys],
            "metrics": [key[1] for key in keys],
            "labels": [key[2] for key in keys],
            "values": [added[key] for key in keys],
        },
    )


def _observe(
    added: defaultdict[tuple[str, str, str], float], job_type: str, metric: str, took: timedelta, bounds: Sequence[str]
) -> None:
    # Clocks may differ by milliseconds, and a sum must not decrease.
    seconds = max(took.total_seconds(), 0.0)
    bucket = next((bound for bound in bounds if seconds <= float(bound)), _INFINITE)
    added[job_type, metric, bucket] += 1
    added[job_type, metric, _SUM] += seconds


def read(session: Session) -> Counters:
    """Return all counters."""
    completed: dict[tuple[str, str], float] = {}
    messages: dict[str, float] = {}
    histograms: dict[str, dict[str, dict[str, float]]] = {"queue": defaultdict(dict), "duration": defaultdict(dict)}
    for job_type, metric, label, value in session.execute(select(table).order_by(table.c.job_type)):
        if metric == "completed":
            completed[job_type, label] = value
        elif metric == _MESSAGES:
            messages[label] = value
        elif metric in histograms:
            histograms[metric][job_type][label] = value
    return Counters(
        completed,
        {job_type: _histogram(found, QUEUE_BOUNDS) for job_type, found in histograms["queue"].items()},
        {job_type: _histogram(found, DURATION_BOUNDS) for job_type, found in histograms["duration"].items()},
        messages,
    )


def _histogram(found: Mapping[str, Any], bounds: Sequence[str]) -> Histogram:
    """Return a histogram with cumulative buckets. Those of the table are not, so that a job updates a single row."""
    count, buckets = 0.0, []
    for bound in (*bounds, _INFINITE):
        count += found.get(bound, 0.0)
        buckets.append((bound, count))
    return Histogram(tuple(buckets), found.get(_SUM, 0.0))
