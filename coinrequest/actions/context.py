"""What an action may use of the platform around it: connections by name, and a place to report progress.

An action is made with a context: `SqlQuery(context).run(inputs)`. Without one, in a script or a test, it has no
connections, and what it reports goes to the log. The platform's own context is in `generator`.
"""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

_logger = logging.getLogger(__name__)


class ConnectionUnavailable(Exception):
    """There is no connection of this name, or it is none that an action of this kind may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection that an administrator has stored.

    Attributes:
        name: its id.
        kind: its type, such as `http` or `postgres`.
        host: a host name or address; for `http` also a whole URL.
        port: None where the kind has a usual one.
        login: a user's name; empty if there is none.
        password: the secret; empty if there is none.
        database: the name of a database, or for `http` the scheme.
        options: everything else; it can hold secrets too.
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
        kind: the connection's type, such as `postgres`, `mysql` or `sqlite`.
        connection: as PEP 249 describes it.
    """

    kind: str
    connection: Any


class ActionContext:
    """The context outside the platform: no connections, and progress is only logged.

    Attributes:
        job: the id of the job's run in Airflow; empty outside the platform.
    """

    job: str = ""

    def connection(self, name: str) -> Connection:
        """Return a connection. Its secrets are masked in logs; in results and errors they are the action's to hide.

        Args:
            name: its id.

        Raises:
            ConnectionUnavailable: there is none of this name.
        """
        raise ConnectionUnavailable(f"there is no connection {name!r}: connections are the platform's")

    def open_database(self, name: str) -> AbstractContextManager[Database]:
        """Open the database of a connection; it is closed, and what was not committed undone, at the end.

        Args:
            name: the connection's id.

        Raises:
            ConnectionUnavailable: there is none of this name, it is no database's, its driver is not installed, or
                the server does not let us in.
        """
        raise ConnectionUnavailable(f"there is no connection {name!r}: connections are the platform's")

    def report(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the work is; whoever looks at the job sees the last report.

        It may be called as often as it is handy, and it never fails.

        Args:
            done: how much is done, in the action's own unit.
            total: how much there is to do; None: it is not known.
            message: the unit, or what is being done, in at most 200 characters.
        """
        _logger.info("progress: %g of %s %s", done, "?" if total is None else f"{total:g}", message)
