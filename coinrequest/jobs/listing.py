"""Pages of jobs, newest first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, String, func, literal, select, true, tuple_
from sqlalchemy.orm import Session

from coinrequest.airflow import runs
from coinrequest.database.tables import job as table
from coinrequest.jobs import query
from coinrequest.jobs.job import Job, JobError, State
from coinrequest.jobs.shown_params import with_defaults_of_types

# Bytes of params as JSON text.
_MAX_PARAMS = 1024
_LONGEST_ERROR = 300
_NEWEST = 1_000
# Scans of an index take 10 to 30 µs each.
_MOST_SCANS = 10_000


@dataclass(frozen=True)
class Filters:
    """Filters of a list; those that are None or empty are not applied, except `job_types`.

    Attributes:
        job_types: any of these types, which may be many; None: all.
        states: any of these states.
        submitters: any of these users.
        labels: names and values that a job must have.
        since: submitted at this time or later, with a zone.
        until: submitted before this time, with a zone.
        ended_since: ended at this time or later, with a zone.
        ended_until: ended before this time, with a zone.
    """

    job_types: Collection[str] | None = None
    states: Collection[State] = ()
    submitters: Collection[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    ended_since: datetime | None = None
    ended_until: datetime | None = None


def page(
    session: Session,
    filters: Filters = Filters(),
    *,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[Job]:
    """Return up to `limit` jobs, newest first, with short errors, without results and params of more than 1 KiB.

    Args:
        before: submission time and id of the last job of the previous page.
    """
    # The page is selected from the jobs' own table, by an index, before its runs are joined.
    chosen = _at_times(select(table), filters)
    if filters.labels:
        chosen = chosen.where(table.c.labels.contains(dict(filters.labels)))
    if before is not None:
        chosen = chosen.where(tuple_(table.c.submitted_at, table.c.id) < tuple_(*before))
    axes = (
        (table.c.job_type, filters.job_types),
        (table.c.state, filters.states or None),
        (table.c.submitted_by, filters.submitters or None),
    )
    newest = _newest(chosen, axes, limit).subquery()
    joined = runs.joined(newest, _MAX_PARAMS).order_by(newest.c.submitted_at.desc(), newest.c.id.desc())
    found = [(query.read_row(row), row) for row in session.execute(joined).all()]
    errors = query.errors_of(session, [(job, row) for job, row in found if job.done and job.state != "success"])
    jobs = [_with_error(job, errors.get(job.id)) for job, _ in found]
    return with_defaults_of_types(session, jobs, _MAX_PARAMS)


def label_names(session: Session, job_types: Collection[str] | None) -> set[str]:
    """Return the names of the labels of the newest jobs, of the given types or of all."""
    newest = _newest(select(table), ((table.c.job_type, job_types),), _NEWEST).subquery()
    return {name for labels in session.scalars(select(newest.c.labels)) for name in query.labels_of(labels)}


def _at_times(chosen: Any, filters: Filters) -> Any:
    if filters.since is not None:
        chosen = chosen.where(table.c.submitted_at >= filters.since)
    if filters.until is not None:
        chosen = chosen.where(table.c.submitted_at < filters.until)
    if filters.ended_since is not None:
        chosen = chosen.where(table.c.ended_at >= filters.ended_since)
    if filters.ended_until is not None:
        # A job that ended before was submitted before: the index by submission need not be read from its end.
        chosen = chosen.where(table.c.ended_at < filters.ended_until, table.c.submitted_at < filters.ended_until)
    return chosen


def _newest(chosen: Any, axes: Sequence[tuple[Any, Collection[str] | None]], limit: int) -> Any:
    """Return the newest of the chosen jobs whose columns have one of the given values; None: any value."""
    order = (table.c.submitted_at.desc(), table.c.id.desc())
    sources: list[Any] = []
    scans = 1
    for number, (column, values) in enumerate(axes):
        if values is None:
            continue
        if len(values) == 1:
            chosen = chosen.where(column == next(iter(values)))
            continue
        if sources and scans * len(values) > _MOST_SCANS:
            chosen = chosen.where(column.in_(list(values)))
            continue
        scans *= len(values)
        given = (
            func.unnest(literal(list(values), ARRAY(String))).table_valued("value").render_derived(f"given_{number}")
        )
        chosen = chosen.where(column == given.c.value)
        sources.append(given)
    if not sources:
        return chosen.order_by(*order).limit(limit)
    # The newest of each value, by an index: who asks for few types or rare states need not scan all other jobs.
    of_each = chosen.order_by(*order).limit(limit).lateral()
    joined = sources[0]
    for source in sources[1:]:
        joined = joined.join(source, true())
    found = select(of_each).select_from(joined.join(of_each, true()))
    return found.order_by(of_each.c.submitted_at.desc(), of_each.c.id.desc()).limit(limit)


def _with_error(job: Job, error: JobError | None) -> Job:
    if error is None:
        return job
    line = error.message.partition("\n")[0]
    short = line if len(line) <= _LONGEST_ERROR else line[: _LONGEST_ERROR - 1] + "…"
    return replace(job, error=replace(error, message=short))
