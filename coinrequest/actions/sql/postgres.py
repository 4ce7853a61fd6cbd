"""PostgreSQL, with psycopg 3.

The server enforces read-only access in three ways: the transaction is READ ONLY; the statement is the query of a
cursor, which cannot be any other command (https://www.postgresql.org/docs/current/sql-declare.html); and it is sent
with the extended protocol, which accepts only one command
(https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY). At the end everything is rolled
back, including the settings and notifications of functions.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from coinrequest.actions.sql.placeholders import POSTGRES, rewrite
from coinrequest.actions.sql.session import Session, Statement, TimedOut, UnsupportedDatabase

_QUERY_CANCELED = "57014"


class NotAQuery(Exception):
    """The statement is not a query."""


class PostgresSession(Session):
    """A statement on PostgreSQL, or on a server with the same protocol."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._read_only = True

    def _execute(self, statement: Statement) -> None:
        import psycopg
        from psycopg.rows import tuple_row

        if not isinstance(self.connection, psycopg.Connection):
            raise UnsupportedDatabase(
                "PostgreSQL needs psycopg 3, because psycopg2 accepts several statements in one text"
            )
        rewritten = rewrite(statement.sql, statement.parameters.keys(), POSTGRES, "pyformat")
        text, values = rewritten.text, {name: statement.parameters[name] for name in rewritten.names} or None
        from coinrequest.actions.sql.postgres_values import load_exactly

        load_exactly(self.connection)
        self.connection.rollback()
        self.connection.autocommit = False
        self._read_only = self.connection.read_only = statement.read_only
        self._limit_time()
        if not statement.read_only:
            # Otherwise `prepare` below would have no effect, and several statements could be sent as one.
            self.connection.prepare_threshold = 5
            self._cursor = psycopg.Cursor(self.connection, row_factory=tuple_row)
            self._cursor.execute(text, values, prepare=True)
            return
        self._cursor = psycopg.ServerCursor(
            self.connection, f"coinrequest_{uuid.uuid4().hex}", row_factory=tuple_row, scrollable=False
        )
        try:
            self._cursor.execute(text, values)
        except psycopg.errors.SyntaxError as error:
            raise NotAQuery(
                f"{_first_line(error)} (with read_only, a statement must start with SELECT, WITH, VALUES or TABLE)"
            ) from error

    def _limit_time(self) -> None:
        """Set a time limit for the next command; this is repeated, because a function may have reset it.

        It also takes the first snapshot of the transaction, after which the transaction cannot be made writable.
        """
        import psycopg

        milliseconds = max(1, int(self._remaining_seconds() * 1000))
        with psycopg.Cursor(self.connection) as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", (str(milliseconds),))

    def fetch(self, count: int) -> Sequence[Sequence[Any]]:
        """Return up to `count` rows; see `Session.fetch`."""
        if self.columns and self._read_only:
            self._limit_time()
        return super().fetch(count)

    def cancel(self) -> None:
        """Ask the server to cancel the statement."""
        self.connection.cancel_safe(timeout=5)

    def is_timeout(self, error: Exception) -> bool:
        """Return whether the server ended the statement at the time limit."""
        return isinstance(error, TimedOut) or getattr(error, "sqlstate", None) == _QUERY_CANCELED


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
