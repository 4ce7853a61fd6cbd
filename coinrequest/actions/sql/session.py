"""The interface of database sessions, which run one statement."""

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
    """The type of database or its driver does not support the statement; the message has the remedy."""


class TimedOut(Exception):
    """The statement took longer than its time-out."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement to run.

    Attributes:
        sql: one statement, with `:name` for parameters.
        parameters: the values: texts, numbers, booleans or null; on PostgreSQL also lists of them.
        read_only: whether it may only read, which the database enforces.
        timeout: seconds for the statement and its rows.
    """

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    read_only: bool = True
    timeout: float = 60.0


class Session(ABC):
    """Runs one statement: `execute`, then `fetch` until there are no more rows, `commit` if it wrote, and `close`.

    Args:
        connection: a connection as defined in PEP 249, which is used for nothing else.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.columns: tuple[str, ...] = ()
        self._cursor: Any = None
        self._deadline = 0.0

    def execute(self, statement: Statement) -> None:
        """Start a transaction and execute the statement; afterwards `columns` has the names of the columns.

        Raises:
            UnsupportedDatabase: the database cannot enforce read-only access, or does not support a parameter.
            StatementInvalid: the parameters do not match the statement.
            TimedOut: it took too long.
            Exception: an exception of the driver.
        """
        self._deadline = time.monotonic() + statement.timeout
        self._execute(statement)
        self.columns = tuple(str(column[0]) for column in self._cursor.description or ())

    @abstractmethod
    def _execute(self, statement: Statement) -> None:
        """Execute the statement, and set `_cursor`."""

    def fetch(self, count: int) -> Sequence[Sequence[Any]]:
        """Return up to `count` rows; none if there are no more.

        Raises:
            TimedOut: it took too long.
            Exception: an exception of the driver.
        """
        self._remaining_seconds()
        rows: Sequence[Sequence[Any]] = self._cursor.fetchmany(count) if self.columns else ()
        return rows

    def changed_rows(self) -> int | None:
        """Return the number of changed rows; None if the driver does not provide it."""
        count = self._cursor.rowcount
        return count if isinstance(count, int) and count >= 0 else None

    def commit(self) -> None:
        """Commit the changes."""
        self.connection.commit()

    def close(self) -> None:
        """Roll back and close the cursor. It never raises: on a broken connection, the server has rolled back."""
        with suppress(Exception):
            self.connection.rollback()
        with suppress(Exception):
            self._cursor.close()

    def cancel(self) -> None:  # noqa: B027 - a driver need not offer it
        """Cancel the statement from a signal handler; by default, it runs until its time limit."""

    def is_timeout(self, error: Exception) -> bool:
        """Return whether an error of the driver means that the statement took too long."""
        return isinstance(error, TimedOut)

    def _remaining_seconds(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimedOut
        return remaining


class OtherSession(Session):
    """A statement on an unknown type of database, for which read-only access cannot be enforced."""

    _syntax: Syntax = OTHER

    def _execute(self, statement: Statement) -> None:
        refuse_lists(statement.parameters)
        style = paramstyle(self.connection)
        text, names = astuple(rewrite(statement.sql, statement.parameters.keys(), self._syntax, style))
        values: Any = {name: statement.parameters[name] for name in names}
        if style not in ("pyformat", "named"):
            values = tuple(statement.parameters[name] for name in names)
        self._cursor = self.connection.cursor()
        # Without parameters, drivers do not interpret percent signs.
        self._cursor.execute(*((text, values) if names else (text,)))


def refuse_lists(parameters: Mapping[str, Any]) -> None:
    """Refuse lists, which only PostgreSQL can bind.

    Raises:
        UnsupportedDatabase: a parameter is a list.
    """
    for name, value in parameters.items():
        if isinstance(value, list):
            raise UnsupportedDatabase(
                f"the parameter {name!r} is a list, which only PostgreSQL supports; use one parameter for each value"
            )


def paramstyle(connection: Any) -> str:
    """Return the paramstyle of the driver of a connection (PEP 249).

    Raises:
        UnsupportedDatabase: the driver does not define one.
    """
    name = type(connection).__module__
    while name:
        style = getattr(sys.modules.get(name), "paramstyle", None)
        if style in STYLES:
            return str(style)
        name = name.rpartition(".")[0]
    raise UnsupportedDatabase(f"the driver {type(connection).__module__} does not define a paramstyle")


def session_for(database: Database, *, read_only: bool) -> Session:
    """Return the session for a database.

    Raises:
        UnsupportedDatabase: the statement is read-only, which cannot be enforced for this type of database.
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
            f"read-only access cannot be enforced for databases of type {database.kind!r}; an administrator can grant "
            "writing with name:write in COINREQUEST_SQL_CONNECTIONS, and the definition must set read_only: false"
        )
    return OtherSession(database.connection)
