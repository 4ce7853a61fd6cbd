"""The migrations on a real PostgreSQL make the schema that is committed, from nothing and from each earlier version."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from support import schema
from support.databases import connected, owner_url
from support.platform import Platform

from coinrequest.database.tables import metadata

_VERSIONS = [script.revision for script in schema.migrations()]
_ROWS = Path(__file__).parent / "rows"


def committed() -> str:
    return schema.DUMP.read_text()


# -- from nothing ---------------------------------------------------------------------------------------------------


def test_airflow_db_migrate_makes_the_committed_schema(airflow_app: Any) -> None:
    from airflow.utils.session import create_session

    from coinrequest.database.migrations.manager import RegistryDBManager

    with create_session() as session:
        assert RegistryDBManager(session).check_migration()
    assert schema.dump(owner_url().render_as_string(False)) == committed(), "`make schema` writes it"


def test_the_tables_of_the_queries_are_those_of_the_migrations(airflow_app: Any) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    def own(_object: Any, name: str, kind: str, *_rest: Any) -> bool:
        return kind != "table" or name.startswith("coinrequest")

    options = {"compare_type": True, "compare_server_default": True, "include_object": own}
    with connected(owner_url().render_as_string(False)) as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_whatever_the_migrations_make_is_named_for_the_project(airflow_app: Any) -> None:
    """So that the dump, which goes by the name, holds all of it."""
    with schema.database("head", "heads") as head, schema.database("without") as without:
        made = schema.objects(head) - schema.objects(without)
    assert len(made) > 50
    assert [name for name in made if "coinrequest" not in name] == []


def test_the_way_down_leaves_nothing_and_the_way_up_is_open_again(airflow_app: Any) -> None:
    with schema.database("down", "heads") as url, schema.database("without") as without:
        schema.downgrade(url, "base")
        left = schema.objects(url) - schema.objects(without)
        assert [name for name in left if "alembic_version_coinrequest" not in name] == []
        schema.upgrade(url)
        assert schema.dump(url) == committed()


def test_tables_that_airflow_dropped_come_back(airflow_app: Any) -> None:
    """`airflow db reset` drops the tables of the metadata and that of the version; functions stay."""
    with schema.database("reset", "heads") as url:
        with connected(url) as connection:
            metadata.drop_all(connection)
            connection.exec_driver_sql("DROP TABLE alembic_version_coinrequest")
        schema.upgrade(url)
        assert schema.dump(url) == committed()


def test_each_version_of_the_project_has_its_version_of_the_schema(airflow_app: Any) -> None:
    from coinrequest.database.migrations.manager import RegistryDBManager

    heads = list(RegistryDBManager.revision_heads_map.values())
    assert set(heads) <= set(_VERSIONS)
    assert heads[-1] == _VERSIONS[-1]


# -- from each earlier version --------------------------------------------------------------------------------------

# What is in a new column of a row that was there before, unless it is nothing.
_DEFAULTS: dict[str, dict[str, Any]] = {"coinrequest_job": {"origin": "rest", "labels": {}}}
# What version 0002 takes from the runs of jobs that were there before.
_STATES = {
    "there": {"state": "running", "run_after": "2026-02-01T00:00:00+00:00", "started_at": "2026-02-01T00:01:00+00:00"},
    "gone": {"state": "removed"},
}
_LATEST = "9000-01-01T00:00:00+00:00"


@pytest.mark.parametrize("version", _VERSIONS[:-1])
def test_an_upgrade_keeps_every_row_and_makes_the_committed_schema(airflow_app: Any, version: str) -> None:
    with schema.database("earlier", version) as url:
        fill(url, version)
        before = rows(url)
        assert all(before.values()), "a table has no row: write a file for its version in rows/"
        schema.upgrade(url)
        assert schema.dump(url) == committed()
        after = rows(url)
        check_airflows_rows(url, version)
    for table, kept in before.items():
        assert after[table] == {key: upgraded(table, row, after[table][key]) for key, row in kept.items()}
    assert len(after["coinrequest_installation"]) == 1


def fill(url: str, version: str) -> None:
    """Write rows into the tables of a version."""
    with connected(url) as connection:
        for path in sorted(_ROWS.glob("*.sql")):
            earlier, before, later = path.stem.partition("before_")
            if version < later if before else earlier <= version:
                connection.exec_driver_sql(path.read_text())


def rows(url: str) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """Return the rows of the project's tables, by table and primary key."""
    found = {}
    with connected(url) as connection:
        there = set(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))
        for table in metadata.sorted_tables:
            if table.name in there:
                whole = connection.scalars(text(f"SELECT to_jsonb(t) FROM {table.name} AS t"))  # noqa: S608 - our own
                keys = [column.name for column in table.primary_key]
                found[table.name] = {tuple(row[key] for key in keys): row for row in whole}
    return found


def upgraded(table: str, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what an upgrade has to make of a row: what was there stays."""
    new = {column: _DEFAULTS.get(table, {}).get(column) for column in after.keys() - before.keys()}
    if "state" in new:
        new |= _STATES[before["run_id"]]
        # A job whose run is gone ended when the upgrade saw that.
        new["ended_at"] = after["ended_at"] if before["run_id"] == "gone" else None
        assert (new["ended_at"] is not None) == (before["run_id"] == "gone")
    if before.get("run_id") == "late":
        new["run_after"] = _LATEST
    return {**before, **new}


def check_airflows_rows(url: str, version: str) -> None:
    """Assert that times which Python cannot read are mended, and that the default pool is unlimited."""
    with connected(url) as connection:
        late = connection.execute(text("SELECT run_after::text, logical_date::text FROM dag_run WHERE id = 2")).all()
        pools = dict(connection.execute(text("SELECT pool, slots FROM slot_pool")).all())
    mended = ("9000-01-01 00:00:00+00", "8999-12-31 23:59:59.999998+00")
    assert [tuple(row) for row in late] == ([mended] if version < "0007" else [])
    # Somebody chose 512 who did so after version 0006.
    assert pools == {"default_pool": -1 if version < "0006" else 512, "own": 128}


# -- on the stack ---------------------------------------------------------------------------------------------------


def test_the_stack_has_the_committed_schema(platform: Platform) -> None:
    assert [
        row.version_num for row in platform.sql("SELECT version_num FROM alembic_version_coinrequest")
    ] == _VERSIONS[-1:]
    assert schema.dump(platform.stack.environment("prepare")["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]) == committed()


def test_agents_can_read_definitions_and_nothing_else(platform: Platform) -> None:
    engine = create_engine(platform.stack.environment("agent-1")["COINREQUEST_REGISTRY_URL"], poolclass=NullPool)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM coinrequest_revision")).scalar_one() > 0
    for statement in (
        "SELECT * FROM connection",
        "SELECT * FROM coinrequest_job",
        "INSERT INTO coinrequest_revision (name, change, author, created_at) VALUES ('x', 'delete', 'x', now())",
    ):
        with pytest.raises(Exception, match=r"permission denied|read-only"), engine.connect() as connection:
            connection.execute(text(statement))
    engine.dispose()
