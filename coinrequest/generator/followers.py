"""Types that run after other types (`schedule: {after: [...]}`), and the types that they follow."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from coinrequest.airflow import asset_events
from coinrequest.errors import FieldError
from coinrequest.generator.dag import asset_name
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.definition import Definition
from coinrequest.jobtypes.registry import Revision, RevisionDamaged
from coinrequest.jobtypes.suggestions import similar

# The names for a suggestion of which it is checked whether the author may read them, and whether they exist.
_CANDIDATES = 10

# Returns whether the author of a definition may read the job type with this name.
Readable = Callable[[str], bool]


@dataclass(frozen=True)
class Awaited:
    """A type that another one waits for.

    Attributes:
        deleted: whether it was deleted, so that it has to be registered again first.
    """

    job_type: str
    deleted: bool


def followed_by(definition: Definition) -> tuple[str, ...]:
    """Return the types that a type runs after."""
    return tuple(getattr(definition.schedule, "after", ()))


def followers(session: Session, name: str) -> list[str]:
    """Return the types that run after `name`."""
    return [revision.name for revision in registry.mentioning(session, name) if name in _followed(revision)]


def awaited(session: Session, revision: Revision) -> list[Awaited]:
    """Return the types that have to succeed before the next job of a type that follows others."""
    succeeded = asset_events.waiting(session, revision.name)
    names = [name for name in _followed(revision) if asset_name(name) not in succeeded]
    known = registry.existing(session, names)
    return [Awaited(name, name not in known) for name in names]


def errors(session: Session, definition: Definition, readable: Readable) -> list[FieldError]:
    """Return what is wrong with the types that a definition follows: unknown ones, and rings.

    Args:
        readable: a type that the author may not read is reported as unknown, and not named in a ring.
    """
    names = followed_by(definition)
    known = registry.existing(session, names)
    unknown = {name for name in names if name not in known or not readable(name)}
    registered = registry.names(session) if unknown else []
    found: list[FieldError] = []
    for index, other in enumerate(names):
        if other in unknown:
            found.append(FieldError(f"schedule.after[{index}]", _unknown(session, other, registered, readable)))
        elif ring := _ring(session, definition.name, other):
            shown = " → ".join(name if readable(name) else "…" for name in (definition.name, *ring))
            found.append(FieldError(f"schedule.after[{index}]", f"makes a ring that would run for ever: {shown}"))
    return found


def _unknown(session: Session, name: str, registered: list[str], readable: Readable) -> str:
    matches = filter(readable, similar(name, registered, _CANDIDATES))
    match = next((match for match in matches if registry.existing(session, [match])), None)
    return f"no job type {name!r}; " + (f"did you mean {match!r}?" if match else "register it first")


def _ring(session: Session, name: str, other: str) -> list[str]:
    """Return how `name` is reached from `other` by following, with both ends; empty if it is not."""
    paths = {other: [other]}
    level = [other]
    while level:
        reached: list[str] = []
        for revision in registry.live(session, names=level, limit=len(level)):
            for followed in _followed(revision):
                if followed == name:
                    return [*paths[revision.name], name]
                if followed not in paths:
                    paths[followed] = [*paths[revision.name], followed]
                    reached.append(followed)
        level = reached
    return []


def _followed(revision: Revision) -> list[str]:
    """Return the types that a stored type follows; none if its definition cannot be read."""
    try:
        schedule = revision.content().get("schedule")
    except RevisionDamaged:
        return []
    after = schedule.get("after") if isinstance(schedule, dict) else None
    return [name for name in after if isinstance(name, str)] if isinstance(after, list) else []
