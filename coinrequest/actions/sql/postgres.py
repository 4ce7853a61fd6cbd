"""PostgreSQL, through psycopg 3.

Reading alone is enforced three times by the server: the transaction is READ ONLY; the statement is the query of a
cursor, and no other command can be one (https://www.postgresql.org/docs/current/sql-declare.html); it is sent with the
extended protocol, which takes one command
(https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY). At the end all is rolled back, so
that neither a setting nor a notification of a function stays.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from coinrequest.actions.sql.placeholders import POSTGRES, rewrite
from coinrequest.actions.sql.session import Session, Statement, TimedOut, UnsupportedDatabase

_QUERY_CANCELED = "57014"


class NotAQuery(Exception):
    """The server refused the statement because it is no query."""


class PostgresSession(Session):
    """One statement on PostgreSQL, or on a server that speaks as it does."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._read_only = True

    def _execute(self, statement: Statement) -> None:
        import psycopg
        from psycopg.rows import tuple_row

        if not isinstance(self.connection, psycopg.Connection):
            raise UnsupportedDatabase(
                "PostgreSQL is reached through psycopg 3 alone; psycopg2 sends several statements as one"
            )
        rewritten = rewrite(statement.sql, statement.parameters.keys(), POSTGRES, "pyformat")
        text, values = rewritten.text, {name: statement.parameters[name] for name in rewritten.names} or None
        self.connection.rollback()
        self.connection.autocommit = False
        self._read_only = self.connection.read_only = statement.read_only
        self._limit_time()
        if not statement.read_only:
            # Else "prepare" below would do nothing, and several statements could go as one.
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
                f"{_first_line(error)} (with read_only, a statement begins with SELECT, WITH, VALUES or TABLE)"
            ) from error

    def _limit_time(self) -> None:
        """Let the server end the next command in time; it has to be said anew, for a function may unsay it.

        It also takes the transaction's first snapshot, after which the server lets nobody make it writable.
        """
        import psycopg

        left = max(1, int(self._seconds_left() * 1000))
        with psycopg.Cursor(self.connection) as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", (str(left),))

    def fetch(self, count: int) -> Sequence[Sequence[Any]]:
        """Return the next rows, at most `count`; see `Session.fetch`."""
        if self.columns and self._read_only:
            self._limit_time()
        return super().fetch(count)

    def cancel(self) -> None:
        """Ask the server to end the statement."""
        self.connection.cancel_safe(timeout=5)

    def is_timeout(self, error: Exception) -> bool:
        """Tell whether the server ended the statement."""
        return isinstance(error, TimedOut) or getattr(error, "sqlstate", None) == _QUERY_CANCELED


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
