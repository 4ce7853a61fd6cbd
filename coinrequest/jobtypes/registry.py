"""The registry: every revision of every job type, append-only, in PostgreSQL.

Revisions are numbered by one sequence. Writers hold `lock()` until they commit, so numbers become visible in order, and
"the registry as of number N" never changes once it has been read. A restored database issues numbers again, so caches
are keyed by the installation's id as well (`jobtypes/installation.py`).
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import ARRAY, Connection, Row, String, and_, any_, func, insert, literal, select, true
from sqlalchemy.orm import Session

from coinrequest.database.stored import Unreadable, read_json
from coinrequest.database.tables import installation
from coinrequest.database.tables import revision as table
from coinrequest.errors import CoinrequestError

# All that a revision has but the text that was sent, which only a person who reads the definition wants.
_FIELDS = tuple(column for column in table.c if column is not table.c.text)

Change = Literal["create", "update", "rollback", "announce", "delete"]

# A registration takes tens of milliseconds. A request that waits longer than this for others is refused.
_LONGEST_WAIT = "10s"
_LARGEST_OFFSET = 10_000_000


class RevisionDamaged(CoinrequestError, ValueError):
    """A stored definition cannot be read; the remedy is to replace or delete the type."""


@dataclass(frozen=True)
class Revision:
    """An immutable revision of a job type.

    Attributes:
        document: the JSON text of the definition as it was submitted; None for a deletion.
        announces: whether another type runs after this one (`schedule: {after: [...]}`), so that its runs must
            announce their end.
    """

    number: int
    name: str
    change: Change
    document: str | None
    announces: bool
    author: str
    created_at: datetime

    @property
    def deleted(self) -> bool:
        """Whether this revision deletes the type."""
        return self.document is None

    def content(self) -> dict[str, object]:
        """Return the definition's document as an object.

        Raises:
            RevisionDamaged: the document is not a JSON object.
        """
        try:
            content = read_json(self.document or "null")
        except Unreadable:
            content = None
        if not isinstance(content, dict):
            raise RevisionDamaged(f"revision {self.number} of {self.name!r} has no readable definition")
        return content

    def holds(self, document: Mapping[str, object]) -> bool:
        """Return whether this revision has exactly `document`, including the order of its fields."""
        return self.document == _as_text(document)


def lock(connection: Session | Connection) -> None:
    """Lock the registry for appending revisions, until the transaction ends.

    The lock is on the row of the installation, which only writers may lock. The database takes it before it numbers a
    revision (`coinrequest/database/schema.sql`); a caller that takes it earlier can read the registry before it writes.

    Raises:
        sqlalchemy.exc.OperationalError: others held it for too long (`database.errors.is_lock_timeout`). The time limit
            applies to all later locks of the transaction.
    """
    connection.execute(select(func.set_config("lock_timeout", _LONGEST_WAIT, True)))
    connection.execute(select(installation.c.id).with_for_update())


def append(
    connection: Session | Connection,
    name: str,
    change: Change,
    document: Mapping[str, object] | None,
    *,
    author: str,
    announces: bool = False,
    text: str | None = None,
) -> Revision:
    """Append a revision of `name`; the caller holds `lock()`.

    Args:
        text: the YAML text that `document` was read from, if it was YAML.
    """
    row = connection.execute(
        insert(table)
        .values(
            name=name,
            change=change,
            document=None if document is None else _as_text(document),
            announces=announces,
            text=text,
            author=author,
            created_at=datetime.now(UTC),
        )
        .returning(*_FIELDS)
    ).one()
    return _revision(row)


def latest(connection: Session | Connection, name: str, *, as_of: int | None = None) -> Revision | None:
    """Return the last revision of `name` (up to number `as_of`), even if it is a deletion; None: there is none."""
    query = select(*_FIELDS).where(table.c.name == name)
    if as_of is not None:
        query = query.where(table.c.number <= as_of)
    row = connection.execute(query.order_by(table.c.number.desc()).limit(1)).one_or_none()
    return None if row is None else _revision(row)


def find(connection: Session | Connection, name: str, number: int) -> Revision | None:
    """Return revision `number` of `name`."""
    query = select(*_FIELDS).where(table.c.name == name, table.c.number == number)
    row = connection.execute(query).one_or_none()
    return None if row is None else _revision(row)


def version_of(connection: Session | Connection, revision: Revision) -> int:
    """Return which version of its type a revision is: 1 for the first."""
    counted = select(func.count()).where(table.c.name == revision.name, table.c.number <= revision.number)
    return int(connection.execute(counted).scalar_one())


def of_version(connection: Session | Connection, name: str, version: int) -> Revision | None:
    """Return the revision that is version `version` of `name`; 1 is the first."""
    if not 1 <= version <= _LARGEST_OFFSET:
        return None
    query = select(*_FIELDS).where(table.c.name == name).order_by(table.c.number).offset(version - 1).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else _revision(row)


def numbered(connection: Session | Connection, numbers: Collection[int]) -> dict[int, Revision]:
    """Return the revisions with these numbers, of all types."""
    rows = connection.execute(select(*_FIELDS).where(table.c.number.in_(numbers)))
    return {row.number: _revision(row) for row in rows}


def history(
    connection: Session | Connection, name: str, *, before: int | None = None, limit: int = 50
) -> list[Revision]:
    """Return up to `limit` revisions of `name` before number `before`, newest first."""
    query = select(*_FIELDS).where(table.c.name == name)
    if before is not None:
        query = query.where(table.c.number < before)
    rows = connection.execute(query.order_by(table.c.number.desc()).limit(limit))
    return [_revision(row) for row in rows]


def live(
    connection: Session | Connection, *, after: str = "", limit: int = 50, names: Collection[str] | None = None
) -> list[Revision]:
    """Return up to `limit` types that are not deleted, by name, after the name `after`; only `names`, if given."""
    among = true() if names is None else table.c.name == any_(literal(list(names), ARRAY(String)))
    found: list[Revision] = []
    while len(found) < limit:
        newest = (
            select(func.max(table.c.number))
            .where(table.c.name > after, among)
            .group_by(table.c.name)
            .order_by(table.c.name)
            .limit(limit)
        )
        query = select(*_FIELDS).where(table.c.number.in_(newest)).order_by(table.c.name)
        page = [_revision(row) for row in connection.execute(query)]
        found += [revision for revision in page if not revision.deleted]
        if len(page) < limit:
            break
        after = page[-1].name
    return found[:limit]


def live_with(connection: Session | Connection, text: str, *, limit: int) -> list[Revision]:
    """Return up to `limit` types that are not deleted, by name, whose documents contain a text; it reads them all."""
    newest = select(func.max(table.c.number)).group_by(table.c.name)
    having = table.c.document.contains(text, autoescape=True)
    query = select(*_FIELDS).where(table.c.number.in_(newest), having).order_by(table.c.name).limit(limit)
    return [revision for row in connection.execute(query) if not (revision := _revision(row)).deleted]


def text_of(connection: Session | Connection, revision: Revision) -> str | None:
    """Return the YAML text of a revision as it was sent; None: it was JSON, or is older than migration 0008."""
    return connection.execute(select(table.c.text).where(table.c.number == revision.number)).scalar_one_or_none()


def last_number(connection: Session | Connection) -> int:
    """Return the number of the newest revision; 0 for an empty registry."""
    return int(connection.execute(select(func.coalesce(func.max(table.c.number), 0))).scalar_one())


def changed_between(connection: Session | Connection, low: int, high: int) -> Iterator[Revision]:
    """Yield the last revision in (low, high] of each type that has one."""
    newest = (
        select(func.max(table.c.number))
        .where(and_(table.c.number > low, table.c.number <= high))
        .group_by(table.c.name)
    )
    rows = connection.execution_options(stream_results=True) if isinstance(connection, Connection) else connection
    for row in rows.execute(select(*_FIELDS).where(table.c.number.in_(newest))):
        yield _revision(row)


def existing(connection: Session | Connection, names: Iterable[str]) -> dict[str, Revision]:
    """Return the current revisions of the types in `names` that exist."""
    found = {name: latest(connection, name) for name in names}
    return {name: revision for name, revision in found.items() if revision and not revision.deleted}


def names(connection: Session | Connection) -> list[str]:
    """Return the names of all types, also of deleted ones."""
    return list(connection.execute(select(table.c.name).distinct()).scalars())


def mentioning(connection: Session | Connection, name: str) -> list[Revision]:
    """Return the types that are not deleted whose definitions hold the name of another type as a text, by name."""
    newest = select(func.max(table.c.number)).group_by(table.c.name)
    mentions = table.c.document.contains(json.dumps(name), autoescape=True)
    query = select(*_FIELDS).where(table.c.number.in_(newest), mentions).order_by(table.c.name)
    return [_revision(row) for row in connection.execute(query)]


def _revision(row: Row[tuple[object, ...]]) -> Revision:
    return Revision(**row._mapping)


def _as_text(document: Mapping[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False)
