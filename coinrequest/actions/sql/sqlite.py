"""SQLite, through the standard library.

Reading alone is enforced by SQLite's authorizer (https://www.sqlite.org/c3ref/set_authorizer.html), which is asked for
every single thing that a statement would do, and `PRAGMA query_only` stands behind it. The driver takes one statement.
"""

import sqlite3
import time
from typing import Any

from coinrequest.actions.sql.placeholders import SQLITE, Syntax
from coinrequest.actions.sql.session import OtherSession, Statement, TimedOut

_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
# How many of SQLite's own steps lie between two looks at the clock; some hundred microseconds.
_STEPS = 10_000


class SqliteSession(OtherSession):
    """One statement on a SQLite file."""

    _syntax: Syntax = SQLITE
    _cancelled = False

    def _execute(self, statement: Statement) -> None:
        self.connection.rollback()
        self.connection.execute(f"PRAGMA query_only = {int(statement.read_only)}")
        # Python runs signal handlers only between its own steps: without this one, none while SQLite works.
        self.connection.set_progress_handler(self._is_over, _STEPS)
        if statement.read_only:
            self.connection.set_authorizer(_judge)
        super()._execute(statement)

    def _is_over(self) -> bool:
        return self._cancelled or time.monotonic() > self._deadline

    def cancel(self) -> None:
        """End the statement at its next step."""
        self._cancelled = True

    def is_timeout(self, error: Exception) -> bool:
        """Tell whether the progress handler ended the statement."""
        return isinstance(error, TimedOut) or (isinstance(error, sqlite3.OperationalError) and self._is_over())


def _judge(action: int, first: Any, second: Any, database: Any, trigger: Any) -> int:
    loads_code = action == sqlite3.SQLITE_FUNCTION and second == "load_extension"
    return sqlite3.SQLITE_OK if action in _READING and not loads_code else sqlite3.SQLITE_DENY
