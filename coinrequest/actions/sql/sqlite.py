"""SQLite, with the standard library.

SQLite enforces read-only access with an authorizer (https://www.sqlite.org/c3ref/set_authorizer.html), which checks
every operation of a statement, and with `PRAGMA query_only`. The driver accepts only one statement.
"""

import sqlite3
import time
from typing import Any

from coinrequest.actions.sql.placeholders import SQLITE, Syntax
from coinrequest.actions.sql.session import OtherSession, Statement, TimedOut

_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
# The number of steps of SQLite between two checks of the clock; some hundred microseconds.
_STEPS = 10_000


class SqliteSession(OtherSession):
    """A statement on SQLite."""

    _syntax: Syntax = SQLITE
    _cancelled = False

    def _execute(self, statement: Statement) -> None:
        # A text may have any bytes in SQLite.
        self.connection.text_factory = lambda text: text.decode(errors="replace")
        self.connection.rollback()
        self.connection.execute(f"PRAGMA query_only = {int(statement.read_only)}")
        # Without a progress handler, Python would run no signal handlers while SQLite executes a statement.
        self.connection.set_progress_handler(self._must_stop, _STEPS)
        if statement.read_only:
            self.connection.set_authorizer(_authorize)
        super()._execute(statement)

    def _must_stop(self) -> bool:
        return self._cancelled or time.monotonic() > self._deadline

    def cancel(self) -> None:
        """Cancel the statement at its next step."""
        self._cancelled = True

    def is_timeout(self, error: Exception) -> bool:
        """Return whether the progress handler ended the statement."""
        return isinstance(error, TimedOut) or (isinstance(error, sqlite3.OperationalError) and self._must_stop())


def _authorize(action: int, first: Any, second: Any, database: Any, trigger: Any) -> int:
    loads_code = action == sqlite3.SQLITE_FUNCTION and second == "load_extension"
    return sqlite3.SQLITE_OK if action in _READING and not loads_code else sqlite3.SQLITE_DENY
