"""Sessions of the metadata database, for processes that Airflow lets have them (Airflow 3.3.2)."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy.orm import Session

Sessions = Callable[[], AbstractContextManager[Session]]

# Seconds after which a database that accepts a connection but says nothing counts as silent; libpq's minimum is two.
_SILENCE = 2


def airflow_session() -> AbstractContextManager[Session]:
    """Return a session of its own transaction: committed at the end, rolled back at any error."""
    from airflow.utils.session import create_session

    return create_session(scoped=False)


def database_answers() -> bool:
    """Return whether the database responds to a new connection, outside the pool.

    Raises:
        sqlalchemy.exc.DBAPIError, OSError: it refuses the connection, which is a response too.
    """
    from airflow import settings as airflow_settings
    from airflow.configuration import conf

    engine: Any = airflow_settings.engine
    arguments, options = engine.dialect.create_connect_args(engine.url)
    if conf.has_option("database", "sql_alchemy_connect_args"):
        options.update(conf.getimport("database", "sql_alchemy_connect_args"))
    started = time.monotonic()
    try:
        # To accept a connection, the server starts a process and looks up the user.
        engine.dialect.connect(*arguments, **{**options, "connect_timeout": _SILENCE}).close()
    except Exception:
        if time.monotonic() - started < _SILENCE:
            raise
        return False
    return True


# The key in a session's `info` while it stores runs whose params were checked.
_CHECKED = "coinrequest: params are checked"


@contextmanager
def params_checked(session: Session) -> Iterator[None]:
    """Mark the runs that the block stores as checked, for the check of new runs (`api_server.run_checks`)."""
    session.info[_CHECKED] = True
    try:
        yield
    finally:
        del session.info[_CHECKED]


def are_params_checked(session: Session | None) -> bool:
    """Return whether the session is in a `params_checked` block."""
    return session is not None and _CHECKED in session.info
