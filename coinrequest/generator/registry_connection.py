"""The connection under which agents and the dag-processor read the registry.

Airflow blocks its own ORM session in the processes that parse and run, on purpose; an engine of our own, with a
read-only role, works in all of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from coinrequest import settings


@contextmanager
def connect() -> Iterator[Connection]:
    """Give one short-lived connection; nothing is kept open, so that idle agents hold no database connections.

    Raises:
        coinrequest.settings.SettingMissing: no URL is configured.
        sqlalchemy.exc.OperationalError: the database cannot be reached within five seconds.
    """
    with _engine(settings.registry_url()).connect() as connection:
        yield connection


@cache
def _engine(url: str) -> Engine:
    """Return the engine, which holds no connection and may therefore be inherited by a forked process."""
    return create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})
