"""Job types that can start jobs, locked until the transaction ends."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from coinrequest.airflow import runs
from coinrequest.generator import lifecycle, publishing
from coinrequest.generator.lifecycle import JobTypeUnknown
from coinrequest.jobs.errors import JobTypePaused
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.registry import Revision


@dataclass(frozen=True)
class Runnable:
    """The current revision of a job type, and its DAG."""

    revision: Revision
    dag: Any


def hold(session: Session, names: Collection[str]) -> Mapping[str, Runnable | JobTypeUnknown | JobTypePaused]:
    """Return and lock job types by name, each with its DAG, or with the reason why it starts no jobs.

    Call it before anything is written: if an older parse has overwritten a DAG, the transaction starts over.
    """
    found = _look_up(session, names)
    outdated = [name for name, runnable in found.items() if runnable is None]
    if outdated:
        _publish_again(session, outdated)
        found = _look_up(session, names)
    return {
        name: runnable or JobTypeUnknown(f"Job type {name!r} is being changed; repeat the request")
        for name, runnable in found.items()
    }


def _look_up(session: Session, names: Collection[str]) -> dict[str, Runnable | JobTypeUnknown | JobTypePaused | None]:
    found: dict[str, Runnable | JobTypeUnknown | JobTypePaused | None] = {}
    # Sorted, so that two transactions take their locks in the same order.
    for name in sorted(names):
        try:
            found[name] = _current(session, name)
        except (JobTypeUnknown, JobTypePaused) as refusal:
            found[name] = refusal
    return found


def _current(session: Session, name: str) -> Runnable | None:
    """Return a job type that can start jobs; None: its DAG is not that of the current revision."""
    # Locked first: what is read afterwards cannot change before the run is there.
    status = runs.hold(session, name)
    revision = lifecycle.current_revision(session, name)
    if status is None or status.stale:
        return None
    if status.paused:
        raise JobTypePaused(f"Job type {name!r} is paused; POST /jobs/v1/job-types/{name}/resume, then repeat")
    dag = publishing.dag_of(session, name, revision.number)
    return None if dag is None else Runnable(revision, dag)


def _publish_again(session: Session, names: Collection[str]) -> None:
    # The registry's lock must come before the locks on the DAGs, as in a registration; so this is a new transaction.
    session.rollback()
    registry.lock(session)
    for name in names:
        revision = registry.latest(session, name)
        if revision is not None and not revision.deleted:
            lifecycle.ensure_published(session, revision)
    session.commit()
