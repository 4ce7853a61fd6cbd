"""Idempotency keys: repeating a submission under the same key returns the same job.

A key belongs to its submitter and expires after `settings.key_lifetime()`. Its row is written in the transaction that
creates the job. Of concurrent submissions its primary key lets one win; the others wait, and then find that job.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from coinrequest import settings
from coinrequest.database.tables import job as job_table
from coinrequest.database.tables import submission_key as table
from coinrequest.jobs.errors import KeyReused


@dataclass(frozen=True)
class Key:
    """An idempotency key.

    Attributes:
        text: chosen by the submitter; at most 255 characters.
        free_on_failure: whether the key becomes free when the job fails or is cancelled, so that the same submission
            starts a new job.
    """

    text: str
    free_on_failure: bool = False


def digest_of(job_type: str, submission: Mapping[str, Any]) -> str:
    """Return a digest that submissions under one key must share: a SHA-256 of the job type and the content."""
    content = json.dumps([job_type, submission], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def job_under(session: Session, user: str, key: Key, digest: str) -> UUID | None:
    """Return the job that was started under a key, if the key has not expired or become free.

    Raises:
        KeyReused: the job was started by another submission.
    """
    found = session.execute(
        select(table.c.digest, table.c.job_id, table.c.free_on_failure, table.c.expires_at, job_table.c.state)
        .join(job_table, job_table.c.id == table.c.job_id, isouter=True)
        .where(table.c.submitted_by == user, table.c.key == key.text)
    ).one_or_none()
    if found is None:
        return None
    freed = found.free_on_failure and found.state in ("failed", "cancelled")
    if found.expires_at < datetime.now(UTC) or freed or found.state is None:
        # Delete only the row that was read: another submission may have taken the key meanwhile.
        session.execute(
            delete(table).where(table.c.submitted_by == user, table.c.key == key.text, table.c.job_id == found.job_id)
        )
        return None
    if found.digest != digest:
        raise KeyReused(
            f"Idempotency-Key {key.text!r} was used for another submission, job {found.job_id}; choose another key"
        )
    job_id: UUID = found.job_id
    return job_id


def take(session: Session, user: str, key: Key, digest: str, job_id: UUID) -> bool:
    """Take a key for a job; wait for a concurrent submission that takes it. Return False if that one got it."""
    taken = session.execute(
        insert(table)
        .values(
            submitted_by=user,
            key=key.text,
            digest=digest,
            job_id=job_id,
            free_on_failure=key.free_on_failure,
            expires_at=datetime.now(UTC) + settings.key_lifetime(),
        )
        .on_conflict_do_nothing()
        .returning(table.c.job_id)
    )
    return taken.one_or_none() is not None
