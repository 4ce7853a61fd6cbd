"""The roles of the throwaway PostgreSQL of `support.api_fixtures`, and copies of its database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from coinrequest.install.secrets import Secrets, ensure_secrets
from coinrequest.stack.layout import Layout


def _secrets() -> Secrets:
    return ensure_secrets(Layout(Path(os.environ["AIRFLOW_HOME"]).parent / "stack").secrets)


def owner_url() -> URL:
    return make_url(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])


def reader_url() -> str:
    """Return the URL under which agents read the registry."""
    return owner_url().set(username="coinrequest_reader", password=_secrets().postgres_reader).render_as_string(False)


def superuser_url(database: str = "postgres") -> str:
    """Return the URL of the server's first user."""
    url = owner_url().set(username="postgres", password=_secrets().postgres_superuser, database=database)
    return url.render_as_string(False)


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """One connection, in which every statement commits by itself."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def as_superuser(*statements: str, database: str = "postgres") -> Any:
    """Run statements; return the rows of the last one, if it has any."""
    with connected(superuser_url(database)) as connection:
        for statement in statements:
            result = connection.execute(text(statement))
        return result.all() if result.returns_rows else None


def _free(database: str) -> str:
    return f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"  # noqa: S608


@contextmanager
def copied(name: str) -> Iterator[str]:
    """A copy of the database as it is now, rights and all; give its URL. Connections to the database are ended."""
    from airflow import settings

    settings.engine.dispose()
    as_superuser(_free("airflow"), f'CREATE DATABASE "{name}" OWNER airflow TEMPLATE airflow')
    try:
        yield owner_url().set(database=name).render_as_string(False)
    finally:
        as_superuser(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def restored(name: str) -> Iterator[None]:
    """Put the copy in the place of the database, with a new id, as a restore does; afterwards the other way round."""
    _exchange("airflow", "airflow_replaced", name)
    try:
        as_superuser("SELECT public.coinrequest_renew_installation()", database="airflow")
        yield
    finally:
        _exchange("airflow", name, "airflow_replaced")


def _exchange(present: str, kept_as: str, following: str) -> None:
    from airflow import settings

    settings.engine.dispose()
    as_superuser(
        _free(present),
        _free(following),
        f'ALTER DATABASE "{present}" RENAME TO "{kept_as}"',
        f'ALTER DATABASE "{following}" RENAME TO "{present}"',
    )
