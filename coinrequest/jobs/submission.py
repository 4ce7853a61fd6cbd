"""Starting jobs, one or many: their rows and their DAG runs, in the caller's transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from coinrequest.airflow import bulk_runs, encryption, runs
from coinrequest.database.tables import job as table
from coinrequest.generator.lifecycle import JobTypeUnknown
from coinrequest.jobs import idempotency_keys, query, runnable
from coinrequest.jobs.callback import Callback
from coinrequest.jobs.errors import JobTypePaused, KeyReused
from coinrequest.jobs.idempotency_keys import Key
from coinrequest.jobs.job import Job, Origin, new_id
from coinrequest.jobs.runnable import Runnable
from coinrequest.jobtypes.definition import Definition, load_definition
from coinrequest.jobtypes.errors import DocumentTooLarge, ParamsInvalid
from coinrequest.jobtypes.marked_numbers import mark_params
from coinrequest.jobtypes.params import check_params

Refusal = JobTypeUnknown | JobTypePaused | ParamsInvalid | DocumentTooLarge | KeyReused


@dataclass(frozen=True)
class Submission:
    """What a job is started with.

    Attributes:
        params: checked against the type's schema; defaults are filled in.
        priority: of its tasks, larger is sooner; None: as defined by the job type.
        run_after: the earliest start, with a zone; None: at once.
        labels: names and values by which jobs can be listed, added to those of the definition.
        callback: the webhook that is called when it ends.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    priority: int | None = None
    run_after: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    callback: Callback | None = None

    def content(self) -> dict[str, Any]:
        """Return everything that two equal submissions have in common."""
        callback = None if self.callback is None else {**self.callback.stored(), "secret": self.callback.secret}
        return {
            "params": dict(self.params),
            "priority": self.priority,
            "run_after": self.run_after,
            "labels": dict(self.labels),
            "callback": callback,
        }


@dataclass(frozen=True)
class Order:
    """A job that is to be started.

    Attributes:
        job_id: the id that it gets.
        key: makes the same submission under the same key the same job; not twice in one batch.
    """

    job_id: UUID
    job_type: str
    submission: Submission
    key: Key | None = None

    @cached_property
    def digest(self) -> str:
        """What two orders under one key must have in common."""
        return idempotency_keys.digest_of(self.job_type, self.submission.content())


@dataclass(frozen=True)
class Outcome:
    """The outcome of an order: a new job, or a refusal; neither if its job exists already.

    Attributes:
        existing: the job that exists under the key, where it has another id.
    """

    order: Order
    job: Job | None = None
    refusal: Refusal | None = None
    existing: UUID | None = None

    @property
    def created(self) -> bool:
        """Whether the order has created a job."""
        return self.job is not None


@dataclass(frozen=True)
class Accepted:
    """A job, and whether this submission created it, or an earlier one under the same key or id."""

    job: Job
    created: bool


def submit(
    session: Session,
    job_type: str,
    submission: Submission,
    *,
    user: str,
    origin: Origin = "rest",
    job_id: UUID | None = None,
    key: Key | None = None,
) -> Accepted:
    """Start a job of the current revision of `job_type`, when the caller commits.

    Call it first in a transaction: if an older parse has overwritten the DAG, the transaction starts over.

    Args:
        job_type: the name of the type.
        submission: what the job is started with.
        user: the submitter.
        origin: by which way it was submitted.
        job_id: the job's id, if the submitter chose one; the same id again is the same job.
        key: the same submission again under the same key is the same job.

    Raises:
        JobTypeUnknown: no such type.
        JobTypePaused: the type starts no jobs.
        ParamsInvalid: the params do not fit; all errors.
        KeyReused: the key belongs to another submission.
    """
    order = Order(job_id or new_id(), job_type, submission, key)
    existing = None
    if key is not None:
        existing = idempotency_keys.job_under(session, user, key, order.digest)
    elif job_id is not None and _known(session, [job_id]):
        existing = job_id
    if existing is not None:
        return Accepted(query.find(session, existing), created=False)
    (outcome,) = _start(session, [order], user=user, origin=origin)
    if outcome.refusal is not None:
        raise outcome.refusal
    if outcome.job is not None:
        return Accepted(outcome.job, created=True)
    return Accepted(query.find(session, outcome.existing or order.job_id), created=False)


def submit_all(session: Session, orders: Sequence[Order], *, user: str, origin: Origin) -> list[Outcome]:
    """Start a job for each order that is neither refused nor known, when the caller commits.

    Call it first in a transaction, as `submit`. If it raises, nothing may be committed: submit the orders one by one
    then.

    Returns:
        The outcomes, in the order of the orders.
    """
    known = _known(session, [order.job_id for order in orders])
    fresh: dict[UUID, Order] = {}
    for order in orders:
        if order.job_id not in known:
            fresh.setdefault(order.job_id, order)
    started = dict(zip(fresh, _start(session, list(fresh.values()), user=user, origin=origin), strict=True))
    # Of several orders with one id the first gets the outcome; to the others the job is known.
    return [started.pop(order.job_id, Outcome(order)) for order in orders]


def _known(session: Session, job_ids: Sequence[UUID]) -> set[UUID]:
    return set(session.scalars(select(table.c.id).where(table.c.id.in_(job_ids))))


def _start(session: Session, orders: Sequence[Order], *, user: str, origin: Origin) -> list[Outcome]:
    by_type: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        by_type[order.job_type].append(order)
    outcomes: dict[UUID, Outcome] = {}
    # All types are locked before the first row is written.
    for name, found in runnable.hold(session, by_type).items():
        if not isinstance(found, Runnable):
            outcomes |= {order.job_id: Outcome(order, refusal=found) for order in by_type[name]}
            continue
        definition = load_definition(found.revision.content())
        of_type = [_accept(session, order, found, definition, user=user, origin=origin) for order in by_type[name]]
        _store(session, found.dag, [outcome.job for outcome in of_type if outcome.job is not None])
        outcomes |= {outcome.order.job_id: outcome for outcome in of_type}
    return [outcomes[order.job_id] for order in orders]


def _accept(
    session: Session, order: Order, found: Runnable, definition: Definition, *, user: str, origin: Origin
) -> Outcome:
    """Check an order and take its key; the job of its outcome is not stored yet."""
    try:
        params = check_params(definition, order.submission.params)
        existing = None if order.key is None else _take_key(session, user, order.key, order)
    except (ParamsInvalid, DocumentTooLarge, KeyReused) as refusal:
        return Outcome(order, refusal=refusal)
    if existing is not None:
        return Outcome(order, existing=existing)
    labels = {**definition.labels, **order.submission.labels}
    return Outcome(order, job=_new_job(order, found.revision.number, params, labels, user=user, origin=origin))


def _take_key(session: Session, user: str, key: Key, order: Order) -> UUID | None:
    """Take the key of an order; return the job of a concurrent submission that was faster.

    Raises:
        KeyReused: that was another submission.
    """
    if idempotency_keys.take(session, user, key, order.digest, order.job_id):
        return None
    # Its job is there now; or it failed, and the key is free again.
    winner = idempotency_keys.job_under(session, user, key, order.digest)
    if winner is None:
        idempotency_keys.take(session, user, key, order.digest, order.job_id)
    return winner


def _new_job(
    order: Order,
    revision: int,
    params: Mapping[str, Any],
    labels: Mapping[str, str],
    *,
    user: str,
    origin: Origin,
) -> Job:
    submission = order.submission
    return Job(
        id=order.job_id,
        job_type=order.job_type,
        revision=revision,
        state="queued",
        params=params,
        submitted_by=user,
        submitted_at=datetime.now(UTC),
        origin=origin,
        priority=submission.priority,
        labels=labels,
        run_after=None if submission.run_after is None else submission.run_after.astimezone(UTC),
        callback=submission.callback,
    )


def _store(session: Session, dag: Any, jobs: Sequence[Job]) -> None:
    """Write new jobs of one type and their runs."""
    if not jobs:
        return
    # The jobs come first: the trigger on Airflow's table then finds them, and adds no rows of its own.
    session.execute(insert(table), [_row(job) for job in jobs])
    new_runs = [
        runs.NewRun(
            run_id=str(job.id),
            conf=mark_params(job.params),
            user=job.submitted_by,
            run_after=job.run_after or job.submitted_at,
            priority=job.priority,
        )
        for job in jobs
    ]
    if bulk_runs.is_possible():
        bulk_runs.create_all(session, dag, new_runs)
        return
    # A hook of the installation must see each task instance, as Airflow's own function passes them.
    for run in new_runs:
        runs.create(session, dag, run)


def _row(job: Job) -> dict[str, Any]:
    callback = job.callback
    return {
        "id": job.id,
        "job_type": job.job_type,
        "run_id": str(job.id),
        "revision": job.revision,
        "submitted_by": job.submitted_by,
        "submitted_at": job.submitted_at,
        "origin": job.origin,
        "state": job.state,
        "run_after": job.run_after or job.submitted_at,
        "priority": job.priority,
        "labels": dict(job.labels),
        "callback": callback.stored() if callback else None,
        "callback_secret": encryption.encrypt(callback.secret) if callback and callback.secret else None,
    }
