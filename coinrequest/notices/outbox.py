"""The outbox: creates the notices of jobs that have ended.

Airflow's transaction that ends a run also writes a completion (`coinrequest/database/schema.sql`). This
module replaces completions by notices in one transaction, so that no notice is lost or created twice.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.orm import Session

from coinrequest.database.tables import completion as completion_table
from coinrequest.database.tables import job as job_table
from coinrequest.database.tables import notice as notice_table
from coinrequest.jobs import query
from coinrequest.jobs.errors import JobUnknown
from coinrequest.jobs.job import Job, JobError, new_id
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.definition import Definition, load_definition
from coinrequest.metrics.counters import record
from coinrequest.notices.event import channel_body, event_body
from coinrequest.notices.policy import LIFETIME
from coinrequest.notices.recipients import Recipient, by_definition, by_submission, outcome_of

log = logging.getLogger(__name__)

# What a definition or a result that was edited in the database can raise. An error of the database is none of these:
# it fails the transaction, which is then repeated.
_DAMAGE = (LookupError, TypeError, ValueError, AttributeError, RecursionError)


def expand(session: Session, limit: int = 100) -> int:
    """Replace up to `limit` completions by notices, when the caller commits; return how many completions.

    Any number of gateways may do so at the same time: each takes completions that no other has locked.
    """
    oldest = select(completion_table).order_by(completion_table.c.number).limit(limit)
    completions = session.execute(oldest.with_for_update(skip_locked=True)).all()
    if not completions:
        return 0
    numbers = [row.number for row in completions]
    session.execute(delete(completion_table).where(completion_table.c.number.in_(numbers)))
    rows = _job_rows(session, completions)
    definitions = _Definitions(session)
    jobs: list[Job] = []
    notices: list[dict[str, Any]] = []
    for completed in completions:
        row = rows.get(completed.job_id)
        if row is None:
            log.warning("Job %s ended %s, but is gone; no notices are created", completed.job_id, completed.state)
            continue
        job = _ended(session, row, completed)
        jobs.append(job)
        try:
            notices += list(_notices(job, _recipients(definitions, row, completed.state)))
        except _DAMAGE:
            log.exception("Cannot create the notices of job %s, which ended %s", job.id, job.state)
    if notices:
        session.execute(insert(notice_table), notices)
    record(session, jobs)
    return len(completions)


def _job_rows(session: Session, completions: Sequence[Row[Any]]) -> dict[UUID, Row[Any]]:
    wanted = {row.job_id for row in completions}
    return {row.id: row for row in session.execute(select(job_table).where(job_table.c.id.in_(wanted)))}


def _ended(session: Session, row: Row[Any], completed: Row[Any]) -> Job:
    """Return the job as it was when it ended: a failed job may have been retried since."""
    error = JobError(None, None, f"The job was {completed.state}; its error cannot be read any more")
    try:
        job = query.find(session, row.id)
    except (JobUnknown, *_DAMAGE):
        log.exception("Cannot read the outcome of job %s; its notices are sent without it", row.id)
        job = _without_outcome(row)
    if job.state != completed.state:
        job = replace(job, state=completed.state, result=None, error=None)
    if job.error is None and job.state != "success":
        job = replace(job, error=error)
    return replace(job, ended_at=completed.ended_at)


def _without_outcome(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        job_type=row.job_type,
        revision=row.revision,
        state=row.state,
        params={},
        submitted_by=row.submitted_by,
        submitted_at=row.submitted_at,
        run_after=row.run_after,
        started_at=row.started_at,
        labels=query.labels_of(row.labels),
        run_id=row.run_id,
    )


class _Definitions:
    """The definitions of a batch, each read once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[tuple[str, int], Definition | None] = {}

    def get(self, name: str, number: int) -> Definition | None:
        """Return the definition of a revision; None: it cannot be read."""
        key = (name, number)
        if key not in self._known:
            self._known[key] = self._read(name, number)
        return self._known[key]

    def _read(self, name: str, number: int) -> Definition | None:
        revision = registry.find(self._session, name, number)
        if revision is None or revision.deleted:
            log.warning("Revision %d of %r is gone; its recipients get no notice", number, name)
            return None
        try:
            return load_definition(revision.content())
        except _DAMAGE:
            log.exception("Cannot read revision %d of %r; its recipients get no notice", number, name)
            return None


def _recipients(definitions: _Definitions, row: Row[Any], state: str) -> list[Recipient]:
    """Return the recipients, each once."""
    outcome = outcome_of(state)

    def found() -> Iterator[Recipient]:
        definition = definitions.get(row.job_type, row.revision)
        if definition is not None:
            yield from by_definition(definition, outcome)
        yield from by_submission(row.origin, row.callback, row.callback_secret, outcome)

    return list(dict.fromkeys(found()))


def _notices(job: Job, recipients: Sequence[Recipient]) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for recipient in recipients:
        yield {
            "id": new_id(),
            "job_id": job.id,
            "kind": recipient.kind,
            "destination": recipient.destination,
            "secret_connection": recipient.secret_connection,
            "secret": recipient.secret,
            "body": channel_body(job) if recipient.kind == "channel" else event_body(job),
            "created_at": now,
            "next_attempt_at": now,
            "give_up_at": now + LIFETIME,
        }
