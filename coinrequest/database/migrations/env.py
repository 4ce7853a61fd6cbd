"""Alembic's entry point: runs the migrations of the project's own tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow import settings
from alembic import context
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from coinrequest.database.errors import is_lock_timeout
from coinrequest.database.migrations.manager import RegistryDBManager


def _own(_object: Any, name: str | None, kind: str, *_rest: Any) -> bool:
    return kind != "table" or name in RegistryDBManager.metadata.tables


@contextmanager
def _connection() -> Iterator[Connection]:
    """Give the connection of a caller that brings one (Alembic's `config.attributes`), or else one of Airflow's."""
    if (given := context.config.attributes.get("connection")) is not None:
        yield given
        return
    with settings.get_engine().connect() as connection:
        yield connection


@contextmanager
def _lock_timeout(connection: Connection) -> Iterator[None]:
    """Give up on a table that another session holds: everybody else would queue behind the waiting migration."""
    connection.exec_driver_sql("SET lock_timeout = '10s'")
    connection.commit()
    try:
        yield
    except OperationalError as error:
        if not is_lock_timeout(error):
            raise
        raise SystemExit(
            "coinrequest: another session holds a table that the migration changes, for more than 10 s; nothing was "
            "changed. SELECT pid, usename, state, query FROM pg_stat_activity WHERE datname = current_database() shows "
            "it, SELECT pg_terminate_backend(PID) ends it; then migrate again."
        ) from error
    finally:
        connection.rollback()
        connection.exec_driver_sql("RESET lock_timeout")
        connection.commit()


if context.is_offline_mode():
    context.configure(
        url=settings.SQL_ALCHEMY_CONN,
        target_metadata=RegistryDBManager.metadata,
        literal_binds=True,
        version_table=RegistryDBManager.version_table_name,
        include_object=_own,
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    with _connection() as connection:
        context.configure(
            connection=connection,
            transaction_per_migration=True,
            target_metadata=RegistryDBManager.metadata,
            compare_type=True,
            compare_server_default=True,
            version_table=RegistryDBManager.version_table_name,
            include_object=_own,
        )
        with _lock_timeout(connection), context.begin_transaction():
            context.run_migrations()
