"""MySQL and MariaDB, with mysqlclient or MySQL Connector/Python.

The server prepares the statement (https://dev.mysql.com/doc/refman/8.4/en/prepare.html), so it accepts only one
statement and binds the parameters itself. The server enforces read-only access in two ways: the statement must be
valid as a subquery, which excludes commands such as CALL or BEGIN NOT ATOMIC of MariaDB that could end the transaction
and start another; and it runs in a READ ONLY transaction.
"""

import sys
from typing import Any

from coinrequest.actions.sql.placeholders import MYSQL, rewrite
from coinrequest.actions.sql.session import Session, Statement, TimedOut, refuse_lists

# ER_QUERY_TIMEOUT of MySQL, ER_STATEMENT_TIMEOUT of MariaDB.
_TIMEOUTS = frozenset({3024, 1969})


class MysqlSession(Session):
    """A statement on MySQL or MariaDB."""

    def _execute(self, statement: Statement) -> None:
        refuse_lists(statement.parameters)
        rewritten = rewrite(statement.sql, statement.parameters.keys(), MYSQL, "qmark")
        self.connection.rollback()
        self._limit_time(statement.timeout)
        access = "READ ONLY" if statement.read_only else "READ WRITE"
        self._do(f"SET SESSION TRANSACTION {access}")
        if statement.read_only:
            # It is only prepared. The line breaks end a trailing comment before the parenthesis.
            subquery = rewritten.text.rstrip(" \t\r\n;")
            self._do("PREPARE coinrequest_judge FROM %s", f"SELECT 1 FROM (\n{subquery}\n) AS q")  # noqa: S608 - see above
        self._do("PREPARE coinrequest FROM %s", rewritten.text)
        variables = [f"@coinrequest_{position}" for position, _name in enumerate(rewritten.names)]
        for variable, name in zip(variables, rewritten.names, strict=True):
            self._do(f"SET {variable} = %s", statement.parameters[name])
        self._do(f"START TRANSACTION {access}")
        self._cursor = self._unbuffered_cursor()
        self._cursor.execute("EXECUTE coinrequest" + (f" USING {', '.join(variables)}" if variables else ""))

    def _do(self, sql: str, *values: Any) -> str:
        cursor = self.connection.cursor()
        cursor.execute(*((sql, values) if values else (sql,)))
        row = cursor.fetchone() if cursor.description else None
        cursor.close()
        return str(row[0]) if row else ""

    def _limit_time(self, seconds: float) -> None:
        """Set a time limit on the server; MySQL applies it to statements that read only."""
        if "mariadb" in self._do("SELECT VERSION()").lower():
            self._do("SET SESSION max_statement_time = %s", seconds)
        else:
            self._do("SET SESSION max_execution_time = %s", max(1, int(seconds * 1000)))

    def _unbuffered_cursor(self) -> Any:
        """Return a cursor that does not fetch all rows at once."""
        package = type(self.connection).__module__.partition(".")[0]
        cursors = sys.modules.get(f"{package}.cursors")
        unbuffered = getattr(cursors, "SSCursor", None)
        return self.connection.cursor() if unbuffered is None else self.connection.cursor(unbuffered)

    def commit(self) -> None:
        """Commit, after discarding the remaining rows of the cursor."""
        self._cursor.close()
        super().commit()

    def close(self) -> None:
        """Do nothing: anything but closing the connection would read all remaining rows first."""

    def is_timeout(self, error: Exception) -> bool:
        """Return whether the server ended the statement at the time limit."""
        return isinstance(error, TimedOut) or bool(error.args and error.args[0] in _TIMEOUTS)
