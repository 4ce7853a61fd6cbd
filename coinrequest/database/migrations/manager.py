"""Adds the project's tables to `airflow db migrate` (`[database] external_db_managers`, Airflow 3.3.2)."""

from pathlib import Path

from airflow.utils.db_manager import BaseDBManager

from coinrequest.database.tables import metadata as own_tables

_HERE = Path(__file__).parent


class RegistryDBManager(BaseDBManager):
    """Creates, upgrades and downgrades the tables of `coinrequest.database.tables`, always by the migrations."""

    metadata = own_tables
    version_table_name = "alembic_version_coinrequest"
    migration_dir = str(_HERE)
    alembic_file = str(_HERE / "alembic.ini")
    supports_table_dropping = True
    revision_heads_map: dict[str, str] = {"0.1.0": "0002", "0.2.0": "0011"}  # noqa: RUF012 - the base class's contract

    def create_db_from_orm(self) -> None:
        """Run the migrations on an empty database too: only they hold the functions, triggers and grants."""
        from alembic import command

        command.upgrade(self.get_alembic_config(), "heads")  # type: ignore[no-untyped-call]

    def downgrade(self, to_revision: str, from_revision: str | None = None, show_sql_only: bool = False) -> None:
        """Take the tables back to `to_revision`; `base` removes them."""
        from alembic import command

        config = self.get_alembic_config()  # type: ignore[no-untyped-call]
        command.downgrade(config, revision=to_revision, sql=show_sql_only)
