"""The changes of a job type, each in one transaction of the caller's session.

A change adds a revision, updates Airflow's tables and adds a line to Airflow's audit log. The caller commits, or rolls
back after an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from coinrequest import settings
from coinrequest.airflow import audit_log, dag_tables, schedule_memory
from coinrequest.errors import CoinrequestError, FieldError
from coinrequest.generator import followers, publishing
from coinrequest.generator.followers import Readable
from coinrequest.http.guard import configured_guard
from coinrequest.http.webhook_address import webhook_refusal
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.definition import Definition, load_definition, parse_definition
from coinrequest.jobtypes.document import dump_yaml
from coinrequest.jobtypes.errors import DefinitionInvalid
from coinrequest.jobtypes.grammar import WebhookNotify
from coinrequest.jobtypes.registry import Change, Revision
from coinrequest.jobtypes.schedule import next_run_times
from coinrequest.jobtypes.suggestions import counted, hint, nearest


def _all(_name: str) -> bool:
    return True


class JobTypeExists(CoinrequestError):
    """A job type or a DAG of the dags folder has this name already."""


class JobTypeUnknown(CoinrequestError):
    """There is no such job type, or it was deleted."""


class RevisionUnknown(CoinrequestError):
    """The job type has no such revision, or the revision is a deletion."""


class RevisionChanged(CoinrequestError):
    """The revision that the caller named is not the current one."""


class JobsActive(CoinrequestError):
    """The job type has jobs that are queued or running."""


class JobTypeFollowed(CoinrequestError):
    """Other job types run after this one."""


@dataclass(frozen=True)
class Preview:
    """What a registration would store.

    Attributes:
        definition: the definition.
        edges: the edges of its graph, each from a task to one that depends on it.
        next_run_times: the next times of its schedule (UTC); empty without one.
    """

    definition: Definition
    edges: tuple[tuple[str, str], ...]
    next_run_times: tuple[datetime, ...]


def preview(session: Session, document: Mapping[str, object], *, readable: Readable = _all) -> Preview:
    """Check a document as a registration would, and return what it would store.

    Args:
        readable: whether the author may read another job type; one that may not be read is reported as unknown.

    Raises:
        DefinitionInvalid: the document has errors; it lists all of them.
        PublishingFailed: Airflow refuses the DAG.
    """
    definition = _validated(session, document, readable)
    publishing.check_buildable(definition)
    times = next_run_times(definition.schedule, count=5, after=datetime.now(UTC)) if definition.schedule else []
    edges = tuple((upstream, task.id) for task in definition.tasks for upstream in task.depends_on)
    return Preview(definition, edges, tuple(times))


def register(
    session: Session,
    document: Mapping[str, object],
    *,
    author: str,
    text: str | None = None,
    readable: Readable = _all,
) -> Revision:
    """Create a job type that does not exist or was deleted.

    Args:
        text: the YAML text that the document was read from, which is kept; None if there is none.
        readable: as for `preview`.

    Raises:
        JobTypeExists: the name is in use.
        DefinitionInvalid: the document has errors; it lists all of them.
        PublishingFailed: Airflow refuses the DAG.
    """
    definition = _validated(session, document, readable)
    registry.lock(session)
    found = registry.latest(session, definition.name)
    if found is not None and not found.deleted:
        raise JobTypeExists(f"{definition.name!r} exists as revision {found.number}; PUT replaces it")
    _check_again(session, definition, readable)
    return _create(session, definition, document, found, author=author, text=text)


def replace_or_create(
    session: Session,
    name: str,
    document: Mapping[str, object],
    *,
    author: str,
    text: str | None = None,
    readable: Readable = _all,
    expected: int | None = None,
) -> tuple[Revision, bool]:
    """Replace the definition of `name`, or create it; return the revision, and whether it was created.

    A document equal to the current one changes nothing and adds no revision, unless its text differs: what a revision
    gives back never changes.

    Args:
        text: as for `register`.
        readable: as for `preview`.
        expected: the revision that the caller expects to be current; None for any.

    Raises:
        RevisionChanged: the current revision is not `expected`.
        JobTypeExists: the job type does not exist, and a DAG of the dags folder has this name.
        DefinitionInvalid: the document has errors, or another name.
        PublishingFailed: Airflow refuses the DAG.
    """
    definition = _validated(session, document, readable, name=name)
    registry.lock(session)
    found = registry.latest(session, name)
    current = None if found is None or found.deleted else found
    if expected is not None and (current is None or current.number != expected):
        raise RevisionChanged(
            f"{name!r} does not exist; leave out If-Match to create it"
            if current is None
            else f"{name!r} is at revision {current.number}, not {expected}; read it again, then repeat"
        )
    if current is not None and current.holds(document) and text in (None, _text(session, current)):
        return current, False
    _check_again(session, definition, readable)
    if current is None:
        return _create(session, definition, document, found, author=author, text=text), True
    revision = _store(session, "update", definition, document, author=author, announces=current.announces, text=text)
    return revision, False


def rollback(session: Session, name: str, number: int, *, author: str, readable: Readable = _all) -> Revision:
    """Make the definition of revision `number` the current one, as a new revision.

    Args:
        readable: as for `preview`.

    Raises:
        JobTypeUnknown: there is no such job type.
        RevisionUnknown: there is no such revision, or it is a deletion.
        DefinitionInvalid: the old definition is no longer valid, for example because an action has changed.
        PublishingFailed: Airflow refuses the DAG.
    """
    registry.lock(session)
    current = current_revision(session, name)
    target = registry.find(session, name, number)
    if target is None or target.deleted:
        raise RevisionUnknown(f"{name!r} has no revision {number} with a definition")
    document = target.content()
    definition = _validated(session, document, readable, name=name)
    text = registry.text_of(session, target)
    return _store(session, "rollback", definition, document, author=author, announces=current.announces, text=text)


def set_paused(session: Session, name: str, *, paused: bool, author: str) -> Revision:
    """Pause or resume a job type. While it is paused, no job starts; running jobs continue.

    Raises:
        JobTypeUnknown: there is no such job type.
    """
    registry.lock(session)
    current = current_revision(session, name)
    dag_tables.set_paused(session, name, paused=paused)
    audit_log.record(session, f"job_type.{'pause' if paused else 'resume'}", name, user=author)
    return current


def delete(session: Session, name: str, *, author: str, force: bool = False, readable: Readable = _all) -> None:
    """Delete a job type at once; its history, its jobs and their results stay.

    Args:
        force: delete it even if other types run after it. They wait until it is registered again and has succeeded.
        readable: whether the author may read another job type; one that may not be read is counted, but not named.

    Raises:
        JobTypeUnknown: there is no such job type.
        JobTypeFollowed: other types run after it.
        JobsActive: jobs are queued or running; Airflow would never finish them.
    """
    registry.lock(session)
    current_revision(session, name)
    if not force and (following := followers.followers(session, name)):
        named = [other for other in following if readable(other)]
        hidden = len(following) - len(named)
        shown = ", ".join([*named, *([f"{hidden} that you may not see"] if hidden else [])])
        raise JobTypeFollowed(
            f"other job types run after {name!r}, and would wait for ever: {shown}. Change or delete them first; "
            "or repeat with ?force=true, and they wait until it is registered again"
        )
    # Withdraw it first: that waits for submissions in flight, so that their jobs are counted.
    publishing.withdraw(session, name)
    if active := dag_tables.active_runs(session, name):
        raise JobsActive(
            f"{name!r} has {counted(active, 'active job')}: wait for them (resume the type if it is paused), "
            "or cancel them (POST /jobs/v1/jobs/{id}/cancel), then repeat"
        )
    schedule_memory.forget(session, name)
    revision = registry.append(session, name, "delete", None, author=author)
    audit_log.record(session, "job_type.delete", name, user=author, extra=f"revision {revision.number}")


def current_revision(session: Session, name: str) -> Revision:
    """Return the current revision of a job type.

    Raises:
        JobTypeUnknown: there is no such job type.
    """
    found = registry.latest(session, name)
    if found is None or found.deleted:
        raise JobTypeUnknown(f"No job type {name!r}")
    return found


def ensure_published(session: Session, revision: Revision) -> None:
    """Publish `revision` again if an older parse has overwritten it."""
    if publishing.dag_of(session, revision.name, revision.number) is None:
        publishing.publish(session, load_definition(revision.content()), revision)


def _validated(
    session: Session, document: Mapping[str, object], readable: Readable, name: str | None = None
) -> Definition:
    """Parse a document, and check what depends on the installation: pools, queues, other types, allowed networks."""
    definition = parse_definition(document)
    errors: list[FieldError] = []
    if name is not None and definition.name != name:
        errors.append(FieldError("name", f"must be {name!r}, as in the address"))
    unknown = dag_tables.unknown_pools(session, {task.pool for task in definition.tasks if task.pool})
    for index, task in enumerate(definition.tasks):
        if task.pool in unknown:
            near = nearest(str(task.pool), dag_tables.pools(session))
            remedy = f"did you mean {near!r}?" if near else "create it under Admin, Pools"
            errors.append(FieldError(f"tasks[{index}].pool", f"no pool {task.pool!r}; {remedy}"))
    queues = settings.queues()
    for index, task in enumerate(definition.tasks):
        if queues and task.queue is not None and task.queue not in queues:
            unknown_queue = f"no queue {task.queue!r}{hint(task.queue, queues)}"
            errors.append(FieldError(f"tasks[{index}].queue", f"{unknown_queue} (COINREQUEST_QUEUES lists them)"))
    errors += followers.errors(session, definition, readable)
    guard = configured_guard()
    for index, notify in enumerate(definition.notify):
        if isinstance(notify, WebhookNotify) and (refusal := webhook_refusal(notify.webhook, guard)):
            errors.append(FieldError(f"notify[{index}].webhook", refusal))
    if errors:
        raise DefinitionInvalid(tuple(errors))
    return definition


def _check_again(session: Session, definition: Definition, readable: Readable) -> None:
    """Check under the lock what another registration or deletion may have changed since: rings, types that are gone."""
    if errors := followers.errors(session, definition, readable):
        raise DefinitionInvalid(tuple(errors))


def _text(session: Session, revision: Revision) -> str:
    """Return the YAML text of a revision: the one that was sent, or else a generated one."""
    return registry.text_of(session, revision) or dump_yaml(revision.content())


def _schedule(revision: Revision) -> object:
    """Return the schedule of a revision; None if it has none, deletes the type or cannot be read."""
    try:
        return None if revision.deleted else revision.content().get("schedule")
    except registry.RevisionDamaged:
        return None


def _create(
    session: Session,
    definition: Definition,
    document: Mapping[str, object],
    deleted: Revision | None,
    *,
    author: str,
    text: str | None,
) -> Revision:
    """Store a job type that does not exist, or that the revision `deleted` deleted."""
    if dag_tables.is_foreign(session, definition.name):
        raise JobTypeExists(f"{definition.name!r} is a DAG of the dags folder; choose another name")
    # Other types may run after it since before it was deleted.
    announces = deleted is not None and bool(followers.followers(session, definition.name))
    return _store(session, "create", definition, document, author=author, announces=announces, text=text)


def _store(
    session: Session,
    change: Change,
    definition: Definition,
    document: Mapping[str, object],
    *,
    author: str,
    announces: bool,
    text: str | None,
) -> Revision:
    for other in registry.existing(session, followers.followed_by(definition)).values():
        if not other.announces:
            announcing = registry.append(
                session,
                other.name,
                "announce",
                other.content(),
                author=author,
                announces=True,
                text=registry.text_of(session, other),
            )
            publishing.publish(session, load_definition(other.content()), announcing)
    before = registry.latest(session, definition.name)
    revision = registry.append(
        session, definition.name, change, document, author=author, announces=announces, text=text
    )
    publishing.publish(session, definition, revision)
    if (None if before is None else _schedule(before)) != document.get("schedule"):
        schedule_memory.begin(session, definition.name)
    audit_log.record(session, f"job_type.{change}", definition.name, user=author, extra=f"revision {revision.number}")
    return revision
