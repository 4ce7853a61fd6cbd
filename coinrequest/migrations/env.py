"""Alembic's entry point: runs the migrations of the project's own tables on Airflow's engine."""

from typing import Any

from airflow import settings
from alembic import context

from coinrequest.migrations.manager import RegistryDBManager


def _own(_object: Any, name: str | None, kind: str, *_rest: Any) -> bool:
    return kind != "table" or name in RegistryDBManager.metadata.tables


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
        with context.begin_transaction():
            context.run_migrations()
