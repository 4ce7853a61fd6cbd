"""Starting many jobs in one transaction, for a channel that delivers hundreds a second."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from coinrequest.airflow import bulk_runs
from coinrequest.database.tables import job as table
from coinrequest.generator.lifecycle import JobTypeUnknown
from coinrequest.jobs.errors import JobTypePaused
from coinrequest.jobs.job import Job, Origin
from coinrequest.jobs.submission import Submission, create_run, new_job, new_run, row_of, runnable
from coinrequest.jobtypes.definition import load_definition
from coinrequest.jobtypes.errors import DocumentTooLarge, ParamsInvalid
from coinrequest.jobtypes.params import check_params

Refusal = JobTypeUnknown | JobTypePaused | ParamsInvalid | DocumentTooLarge


@dataclass(frozen=True)
class Order:
    """A job that somebody wants, under an id of their choice."""

    job_id: UUID
    job_type: str
    submission: Submission


@dataclass(frozen=True)
class Outcome:
    """What became of an order: a new job, one that was there under its id, or a refusal."""

    order: Order
    created: bool = False
    refusal: Refusal | None = None


def submit_all(session: Session, orders: Sequence[Order], *, user: str, origin: Origin) -> list[Outcome]:
    """Start a job for each order that is not refused; they run when the caller commits.

    Call it first in a transaction, as `submission.submit`. If it raises, nothing may be committed: submit the orders
    one by one then.

    Returns:
        The outcomes, in the order of the orders.
    """
    ids = [order.job_id for order in orders]
    outcomes: dict[int, Outcome] = {}
    accepted: dict[str, list[tuple[int, Order]]] = defaultdict(list)
    wanted = set(ids) - set(session.scalars(select(table.c.id).where(table.c.id.in_(ids))))
    for index, order in enumerate(orders):
        if order.job_id in wanted:
            wanted.remove(order.job_id)
            accepted[order.job_type].append((index, order))
        else:
            outcomes[index] = Outcome(order)
    types = {}
    # All types are looked up, in one order of locks, before the first row is written.
    for job_type in sorted(accepted):
        try:
            types[job_type] = runnable(session, job_type)
        except (JobTypeUnknown, JobTypePaused) as refusal:
            outcomes |= {index: Outcome(order, refusal=refusal) for index, order in accepted.pop(job_type)}
    for job_type, found in types.items():
        revision, dag = found
        definition = load_definition(revision.content())
        jobs = []
        for index, order in accepted[job_type]:
            try:
                params = check_params(definition, order.submission.params)
            except (ParamsInvalid, DocumentTooLarge) as refusal:
                outcomes[index] = Outcome(order, refusal=refusal)
                continue
            outcomes[index] = Outcome(order, created=True)
            jobs.append(new_job(order.job_id, revision, params, order.submission, user=user, origin=origin))
        if jobs:
            session.execute(insert(table), [row_of(job) for job in jobs])
            _create_runs(session, dag, jobs)
    return [outcomes[index] for index in range(len(orders))]


def _create_runs(session: Session, dag: Any, jobs: Sequence[Job]) -> None:
    if bulk_runs.is_possible():
        bulk_runs.create_all(session, dag, [new_run(job) for job in jobs])
        return
    # Somebody's hook wants to see each task instance, as Airflow's own function shows them.
    for job in jobs:
        create_run(session, dag, job)
