"""What it takes to put one statement to a database, whatever its kind."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from typing import Any

from coinrequest.actions.context import Database
from coinrequest.actions.sql.placeholders import OTHER, STYLES, Syntax, rewrite


class UnsupportedDatabase(Exception):
    """This kind of database, or its driver, cannot do what is asked; the message says what would."""


class TimedOut(Exception):
    """The time of the statement is over."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is asked of a database.

    Attributes:
        sql: one statement with `:name` for parameters.
        parameters: their values, each a text, number, boolean or null, or for PostgreSQL also a list of them.
        read_only: whether it may only read; the database itself enforces it.
        timeout: seconds for everything.
    """

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    read_only: bool = True
    timeout: float = 60.0


class Session(ABC):
    """One statement on one open database: `execute`, `fetch` as often as needed, `commit` if it wrote, `close`.

    Args:
        connection: as PEP 249 describes it. Nothing else uses it.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.columns: tuple[str, ...] = ()
        self._cursor: Any = None
        self._deadline = 0.0

    def execute(self, statement: Statement) -> None:
        """Begin a transaction and execute the statement; `columns` has the names of what it returns.

        Raises:
            UnsupportedDatabase: it cannot be held to reading, or not with these parameters.
            StatementInvalid: text and parameters do not fit.
            TimedOut: it took too long.
            Exception: whatever the driver raises.
        """
        self._deadline = time.monotonic() + statement.timeout
        self._execute(statement)
        self.columns = tuple(str(column[0]) for column in self._cursor.description or ())

    @abstractmethod
    def _execute(self, statement: Statement) -> None:
        """Do it, and set `_cursor`."""

    def fetch(self, count: int) -> Sequence[Sequence[Any]]:
        """Return the next rows, at most `count`; none: there are no more.

        Raises:
            TimedOut: it took too long.
            Exception: whatever the driver raises.
        """
        self._seconds_left()
        rows: Sequence[Sequence[Any]] = self._cursor.fetchmany(count) if self.columns else ()
        return rows

    def changed_rows(self) -> int | None:
        """Return how many rows a writing statement changed; None: the driver does not say."""
        count = self._cursor.rowcount
        return count if isinstance(count, int) and count >= 0 else None

    def commit(self) -> None:
        """Keep what was changed."""
        self.connection.commit()

    def close(self) -> None:
        """Undo what was not committed. It never fails: a broken connection has nothing left to undo."""
        with suppress(Exception):
            self.connection.rollback()
        with suppress(Exception):
            self._cursor.close()

    def cancel(self) -> None:  # noqa: B027 - a driver need not offer it
        """End the statement from a signal handler; where the driver cannot, it ends at its time limit."""

    def is_timeout(self, error: Exception) -> bool:
        """Tell whether the driver's error says that the statement took too long."""
        return isinstance(error, TimedOut)

    def _seconds_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimedOut
        return left


class OtherSession(Session):
    """A database whose kind is not known: it may be written to, because nothing would hold it to reading."""

    _syntax: Syntax = OTHER

    def _execute(self, statement: Statement) -> None:
        refuse_lists(statement.parameters)
        style = paramstyle(self.connection)
        text, names = astuple(rewrite(statement.sql, statement.parameters.keys(), self._syntax, style))
        values: Any = {name: statement.parameters[name] for name in names}
        if style not in ("pyformat", "named"):
            values = tuple(statement.parameters[name] for name in names)
        self._cursor = self.connection.cursor()
        # Without parameters a driver takes the text as it is, and percent signs stay what they are.
        self._cursor.execute(*((text, values) if names else (text,)))


def refuse_lists(parameters: Mapping[str, Any]) -> None:
    """Refuse what only PostgreSQL can bind.

    Raises:
        UnsupportedDatabase: a parameter is a list.
    """
    for name, value in parameters.items():
        if isinstance(value, list):
            raise UnsupportedDatabase(
                f"parameter {name!r} is a list, which only PostgreSQL takes; give one for each value"
            )


def paramstyle(connection: Any) -> str:
    """Return how the driver of a connection writes parameters (PEP 249).

    Raises:
        UnsupportedDatabase: its module does not say.
    """
    name = type(connection).__module__
    while name:
        style = getattr(sys.modules.get(name), "paramstyle", None)
        if style in STYLES:
            return str(style)
        name = name.rpartition(".")[0]
    raise UnsupportedDatabase(f"the driver {type(connection).__module__} does not say how it takes parameters")


def session_for(database: Database, *, read_only: bool) -> Session:
    """Return the session for a database.

    Raises:
        UnsupportedDatabase: nothing would hold a database of this kind to reading, and only reading is asked for.
    """
    if database.kind == "postgres":
        from coinrequest.actions.sql.postgres import PostgresSession

        return PostgresSession(database.connection)
    if database.kind in ("mysql", "mariadb"):
        from coinrequest.actions.sql.mysql import MysqlSession

        return MysqlSession(database.connection)
    if database.kind == "sqlite":
        from coinrequest.actions.sql.sqlite import SqliteSession

        return SqliteSession(database.connection)
    if read_only:
        raise UnsupportedDatabase(
            f"a database of the kind {database.kind!r} cannot be held to reading: an administrator grants writing "
            "with name:write in COINREQUEST_SQL_CONNECTIONS, and the definition says read_only: false"
        )
    return OtherSession(database.connection)
