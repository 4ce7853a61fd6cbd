"""What can happen to a job type, each as one transaction of the caller's session.

Every change is a revision, is in Airflow's tables before the transaction ends, and is in Airflow's audit log.
Whoever calls this commits; nothing is stored when something is wrong.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from coinrequest import settings
from coinrequest.airflow import audit_log, dag_tables
from coinrequest.errors import FieldError
from coinrequest.generator import publishing
from coinrequest.http.guard import configured_guard
from coinrequest.http.webhook_address import webhook_refusal
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.definition import Definition, load_definition, parse_definition
from coinrequest.jobtypes.errors import DefinitionInvalid
from coinrequest.jobtypes.grammar import WebhookNotify
from coinrequest.jobtypes.registry import Change, Revision
from coinrequest.jobtypes.schedule import next_run_times
from coinrequest.jobtypes.suggestions import hint

# Which types the author of a definition may know of.
Readable = Callable[[str], bool]


def _all(_name: str) -> bool:
    return True


class JobTypeExists(Exception):
    """The name is taken, by a job type or by a DAG that is not a job type."""


class JobTypeUnknown(Exception):
    """No such job type, or it was deleted."""


class RevisionUnknown(Exception):
    """The type has no such revision, or that revision is a deletion."""


class RevisionChanged(Exception):
    """The caller named a revision that is not the current one any more."""


class JobsActive(Exception):
    """The type has jobs that are queued or running."""


@dataclass(frozen=True)
class Preview:
    """What a registration would store: the definition, the edges of its graph, and its next times (UTC)."""

    definition: Definition
    edges: tuple[tuple[str, str], ...]
    next_run_times: tuple[datetime, ...]


def preview(session: Session, document: Mapping[str, object], *, readable: Readable = _all) -> Preview:
    """Check a document as a registration would, and say what would be stored.

    Args:
        readable: which other types the document may name; the others are as unknown as those that do not exist.

    Raises:
        DefinitionInvalid: the document has errors; all of them.
        PublishingFailed: Airflow refuses the DAG.
    """
    definition = _checked(session, document, readable)
    publishing.check_buildable(definition)
    times = next_run_times(definition.schedule, count=5, after=datetime.now(UTC)) if definition.schedule else []
    edges = tuple((upstream, task.id) for task in definition.tasks for upstream in task.depends_on)
    return Preview(definition, edges, tuple(times))


def register(session: Session, document: Mapping[str, object], *, author: str, readable: Readable = _all) -> Revision:
    """Create a job type that does not exist, or was deleted.

    Args:
        readable: as for `preview`.

    Raises:
        JobTypeExists: the name is taken.
        DefinitionInvalid: the document has errors; all of them.
    """
    definition = _checked(session, document, readable)
    registry.lock(session)
    found = registry.latest(session, definition.name)
    if found is not None and not found.deleted:
        raise JobTypeExists(f"{definition.name!r} exists as revision {found.number}; PUT replaces it")
    return _create(session, definition, document, found, author=author)


def replace_or_create(
    session: Session,
    name: str,
    document: Mapping[str, object],
    *,
    author: str,
    readable: Readable = _all,
    expected: int | None = None,
) -> tuple[Revision, bool]:
    """Replace the definition of `name`, or create it; return the revision, and whether it was created.

    A document equal to the current one changes nothing and makes no revision.

    Args:
        readable: as for `preview`.
        expected: the revision that the caller believes to be current; None: whatever it is.

    Raises:
        RevisionChanged: the current revision is not `expected`.
        DefinitionInvalid: the document has errors, or another name.
    """
    definition = _checked(session, document, readable, name=name)
    registry.lock(session)
    found = registry.latest(session, name)
    current = None if found is None or found.deleted else found
    if expected is not None and (current is None or current.number != expected):
        raise RevisionChanged(
            f"{name!r} does not exist; leave out If-Match to create it"
            if current is None
            else f"{name!r} is at revision {current.number}, not {expected}; read it again, then repeat"
        )
    if current is None:
        return _create(session, definition, document, found, author=author), True
    if current.holds(document):
        return current, False
    return _store(session, "update", definition, document, author=author, announces=current.announces), False


def rollback(session: Session, name: str, number: int, *, author: str, readable: Readable = _all) -> Revision:
    """Make the definition of revision `number` the current one, as a new revision.

    Args:
        readable: as for `preview`.

    Raises:
        JobTypeUnknown, RevisionUnknown: there is nothing to go back from, or to.
        DefinitionInvalid: the old definition no longer fits the actions of today.
    """
    registry.lock(session)
    current = current_revision(session, name)
    target = registry.find(session, name, number)
    if target is None or target.deleted:
        raise RevisionUnknown(f"{name!r} has no revision {number} with a definition")
    document = target.content()
    definition = _checked(session, document, readable, name=name)
    return _store(session, "rollback", definition, document, author=author, announces=current.announces)


def set_paused(session: Session, name: str, *, paused: bool, author: str) -> Revision:
    """Pause or resume a type: a paused one starts no jobs; what runs goes on.

    Raises:
        JobTypeUnknown: no such type.
    """
    registry.lock(session)
    current = current_revision(session, name)
    dag_tables.set_paused(session, name, paused=paused)
    audit_log.record(session, f"job_type.{'pause' if paused else 'resume'}", name, user=author)
    return current


def delete(session: Session, name: str, *, author: str) -> None:
    """Delete a type at once; its history, its jobs and their results stay.

    Raises:
        JobTypeUnknown: no such type.
        JobsActive: jobs are queued or running; Airflow would leave them there for ever.
    """
    registry.lock(session)
    current_revision(session, name)
    # Withdrawn first: that waits for submissions in flight, whose jobs are then counted.
    publishing.withdraw(session, name)
    if active := dag_tables.active_runs(session, name):
        raise JobsActive(
            f"{name!r} has {active} active job(s): wait for them (resume the type if it is paused), "
            "or cancel them (POST /jobs/v1/jobs/{id}/cancel), then repeat"
        )
    revision = registry.append(session, name, "delete", None, author=author)
    audit_log.record(session, "job_type.delete", name, user=author, extra=f"revision {revision.number}")


def current_revision(session: Session, name: str) -> Revision:
    """Return the current revision of a type that exists.

    Raises:
        JobTypeUnknown: no such type.
    """
    found = registry.latest(session, name)
    if found is None or found.deleted:
        raise JobTypeUnknown(f"No job type {name!r}")
    return found


def ensure_published(session: Session, revision: Revision) -> None:
    """Publish `revision` again if an older parse has overwritten it in the meantime."""
    if publishing.dag_of(session, revision.name, revision.number) is None:
        publishing.publish(session, load_definition(revision.content()), revision)


def _checked(
    session: Session, document: Mapping[str, object], readable: Readable, name: str | None = None
) -> Definition:
    """Parse, and check what only the installation knows: pools, the types to run after, allowed networks."""
    definition = parse_definition(document)
    errors: list[FieldError] = []
    if name is not None and definition.name != name:
        errors.append(FieldError("name", f"must be {name!r}, as in the address"))
    unknown = dag_tables.unknown_pools(session, {task.pool for task in definition.tasks if task.pool})
    for index, task in enumerate(definition.tasks):
        if task.pool in unknown:
            errors.append(FieldError(f"tasks[{index}].pool", f"no pool {task.pool!r}; create it under Admin, Pools"))
    served = settings.queues()
    for index, task in enumerate(definition.tasks):
        if served and task.queue is not None and task.queue not in served:
            unknown_queue = f"no queue {task.queue!r}{hint(task.queue, served)}"
            errors.append(FieldError(f"tasks[{index}].queue", f"{unknown_queue} (COINREQUEST_QUEUES lists them)"))
    awaited = _awaited(definition)
    known = registry.existing(session, awaited)
    for index, other in enumerate(awaited):
        if other not in known or not readable(other):
            errors.append(FieldError(f"schedule.after[{index}]", f"no job type {other!r}; register it first"))
    guard = configured_guard()
    for index, notify in enumerate(definition.notify):
        if isinstance(notify, WebhookNotify) and (refusal := webhook_refusal(notify.webhook, guard)):
            errors.append(FieldError(f"notify[{index}].webhook", refusal))
    if errors:
        raise DefinitionInvalid(tuple(errors))
    return definition


def _awaited(definition: Definition) -> tuple[str, ...]:
    return tuple(getattr(definition.schedule, "after", ()))


def _create(
    session: Session,
    definition: Definition,
    document: Mapping[str, object],
    deleted: Revision | None,
    *,
    author: str,
) -> Revision:
    """Store a type that does not exist, or was deleted by the revision `deleted`."""
    if dag_tables.is_foreign(session, definition.name):
        raise JobTypeExists(f"{definition.name!r} is a DAG of the dags folder; choose another name")
    # Others may have begun to wait for it while it existed.
    announces = deleted is not None and deleted.announces
    return _store(session, "create", definition, document, author=author, announces=announces)


def _store(
    session: Session,
    change: Change,
    definition: Definition,
    document: Mapping[str, object],
    *,
    author: str,
    announces: bool,
) -> Revision:
    for other in registry.existing(session, _awaited(definition)).values():
        if not other.announces:
            announcing = registry.append(
                session, other.name, "announce", other.content(), author=author, announces=True
            )
            publishing.publish(session, load_definition(other.content()), announcing)
    revision = registry.append(session, definition.name, change, document, author=author, announces=announces)
    publishing.publish(session, definition, revision)
    audit_log.record(session, f"job_type.{change}", definition.name, user=author, extra=f"revision {revision.number}")
    return revision
