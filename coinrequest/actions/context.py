"""What the platform provides to actions: connections by name, and progress reports.

An action is created with a context: `SqlQuery(context).run(inputs)`. Without one, in a script or a test, it has no
connections, and its progress is logged. The context of the platform is in `worker`.
"""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from coinrequest.errors import CoinrequestError

log = logging.getLogger(__name__)


class ConnectionUnavailable(CoinrequestError):
    """There is no connection with this name, or the action cannot use it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection that an administrator has created in Airflow.

    Attributes:
        name: the connection id.
        kind: the connection type, such as `http` or `postgres`.
        host: a host name or an address; for `http`, possibly a URL.
        port: the port; None for the default.
        login: the user name; empty if there is none.
        password: the password; empty if there is none.
        database: the name of the database; for `http`, the scheme.
        options: the extra options, which may contain secrets too.
    """

    name: str
    kind: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An open database.

    Attributes:
        kind: the connection type, such as `postgres`, `mysql` or `sqlite`.
        connection: a connection as defined in PEP 249.
    """

    kind: str
    connection: Any


class ActionContext:
    """The context outside the platform: it has no connections, and only logs progress.

    Attributes:
        job: the run id of the job in Airflow; empty outside the platform.
    """

    job: str = ""

    def connection(self, name: str) -> Connection:
        """Return a connection. Airflow masks its secrets in logs; the action must mask them in results and errors.

        Args:
            name: the connection id.

        Raises:
            ConnectionUnavailable: there is no connection with this name.
        """
        raise ConnectionUnavailable(f"there is no connection {name!r}: only the platform has connections")

    def open_database(self, name: str) -> AbstractContextManager[Database]:
        """Open the database of a connection. At the end it is rolled back and closed.

        Args:
            name: the connection id.

        Raises:
            ConnectionUnavailable: there is no connection with this name, it is not a database, its driver is not
                installed, or the server refuses the connection.
        """
        raise ConnectionUnavailable(f"there is no connection {name!r}: only the platform has connections")

    def report(self, done: float, total: float | None = None, message: str = "") -> None:
        """Report progress; the job shows the last report.

        It may be called often, and it never fails.

        Args:
            done: the amount of work done, in any unit.
            total: the total amount of work; None if it is unknown.
            message: the unit or the current step, in at most 200 characters.
        """
        log.info("Progress: %s of %s %s", done, "?" if total is None else total, message)
