"""Alembic's entry point: runs the migrations of the project's own tables on Airflow's engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow import settings
from alembic import context
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from coinrequest.database.migrations.manager import RegistryDBManager
from coinrequest.jobtypes.registry import waited_too_long


def _own(_object: Any, name: str | None, kind: str, *_rest: Any) -> bool:
    return kind != "table" or name in RegistryDBManager.metadata.tables


@contextmanager
def _impatient(connection: Connection) -> Iterator[None]:
    """Do not wait for ever for a table that somebody reads: everybody else would wait behind the migration."""
    connection.exec_driver_sql("SET lock_timeout = '10s'")
    connection.commit()
    try:
        yield
    except OperationalError as error:
        if not waited_too_long(error):
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
    with settings.get_engine().connect() as connection:
        context.configure(
            connection=connection,
            transaction_per_migration=True,
            target_metadata=RegistryDBManager.metadata,
            compare_type=True,
            compare_server_default=True,
            version_table=RegistryDBManager.version_table_name,
            include_object=_own,
        )
        with _impatient(connection), context.begin_transaction():
            context.run_migrations()
