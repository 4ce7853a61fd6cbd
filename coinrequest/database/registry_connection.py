"""The connection by which agents and the dag-processor read the registry.

Airflow blocks its own ORM session in the processes that parse DAGs and run tasks, on purpose. An engine of our own,
with a read-only role, works in all of them.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from coinrequest import settings
from coinrequest.database.connection import CONNECT_ARGS

# The role's connections are limited (docker/database-rights.psql), and many agents may want one at the same moment.
_LONGEST_WAIT, _BETWEEN = 30.0, 0.2
_FULL = ("too many connections", "too many clients", "remaining connection slots")


@contextmanager
def connect() -> Iterator[Connection]:
    """Open a connection for the block; nothing is pooled, so idle agents hold no database connection.

    Raises:
        coinrequest.settings.SettingMissing: no URL is configured.
        sqlalchemy.exc.OperationalError: the database cannot be reached within five seconds, or its connections were all
            taken for 30 seconds.
    """
    with _opened(_engine(settings.registry_url())) as connection:
        yield connection


def _opened(engine: Engine) -> Connection:
    began = time.monotonic()
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            if not any(words in str(error) for words in _FULL) or time.monotonic() - began > _LONGEST_WAIT:
                raise
        time.sleep(_BETWEEN)


@cache
def _engine(url: str) -> Engine:
    """Return the engine, which holds no connection and may therefore be inherited by a forked process."""
    return create_engine(url, poolclass=NullPool, connect_args=dict(CONNECT_ARGS))
