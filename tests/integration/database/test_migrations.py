"""The tables of the models and the tables of the migrations are the same."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from support.documents import new_name
from support.platform import Platform

from coinrequest.database.tables import metadata
from coinrequest.install.secrets import ensure_secrets
from coinrequest.stack.environment import database_url
from coinrequest.stack.ports import kept_ports

_MIGRATE = """
import contextlib, json, sys, warnings
warnings.simplefilter("ignore")
with contextlib.redirect_stdout(sys.stderr):
    from airflow import settings
    from airflow.utils.session import create_session
    from alembic import command
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import inspect, text
    from coinrequest.database.migrations.manager import RegistryDBManager

    def tables():
        with settings.get_engine().connect() as connection:
            return sorted(set(inspect(connection).get_table_names()) - airflows_own)

    def triggers():
        with settings.get_engine().connect() as connection:
            return connection.execute(text(
                "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
                " UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname LIKE 'coinrequest%'"
                " ORDER BY 1")).scalars().all()

    def drift():
        with settings.get_engine().connect() as connection:
            options = {"compare_type": True, "compare_server_default": True,
                       "include_object": lambda o, name, kind, *_: kind != "table" or name.startswith("coinrequest")}
            context = MigrationContext.configure(connection, opts=options)
            return [repr(change) for change in compare_metadata(context, RegistryDBManager.metadata)]

    # Airflow's own tables come first, as in `airflow db migrate`: jobs follow its runs.
    from airflow.models import import_all_models
    from airflow.models.base import Base
    import_all_models()
    Base.metadata.create_all(settings.get_engine())
    airflows_own = set(Base.metadata.tables)

    with create_session() as session:
        manager = RegistryDBManager(session)
        config = manager.get_alembic_config()
        command.upgrade(config, "heads")
        found = {"tables": tables(), "drift": drift(), "triggers": triggers()}
        manager.downgrade("base")
        found["after_downgrade"] = tables()
        command.upgrade(config, "heads")
        found["again"] = tables()
        manager.downgrade("base")
    with settings.get_engine().begin() as connection:
        RegistryDBManager.metadata.create_all(connection)
    found["triggers_of_models"] = triggers()
    found["heads"] = list(RegistryDBManager.revision_heads_map.values())
    from alembic.script import ScriptDirectory
    found["script_heads"] = list(ScriptDirectory.from_config(config).get_heads())
print(json.dumps(found))
"""


@pytest.fixture
def scratch_url(platform: Platform) -> Iterator[str]:
    """An empty database on the stack's server."""
    secrets, ports, name = (
        ensure_secrets(platform.stack.layout.secrets),
        kept_ports(platform.stack.layout),
        new_name("scratch"),
    )
    url = database_url(ports, "postgres", secrets.postgres_superuser)
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" OWNER airflow'))
    try:
        yield database_url(ports, "airflow", secrets.postgres_owner).rpartition("/")[0] + f"/{name}"
    finally:
        with engine.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        engine.dispose()


def test_migrations_make_what_the_models_say_down_and_up_again(platform: Platform, scratch_url: str) -> None:
    variables = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": scratch_url}
    found = json.loads(platform.python(_MIGRATE, process="prepare", variables=variables))
    own = ["alembic_version_coinrequest", *sorted(metadata.tables)]
    assert found["tables"] == own
    assert found["drift"] == []
    assert found["after_downgrade"] == own[:1]
    assert found["again"] == own
    assert found["triggers"] == found["triggers_of_models"] != []
    assert set(found["script_heads"]) <= set(found["heads"])


def test_airflow_checks_the_projects_migrations_too(platform: Platform) -> None:
    rows = platform.sql("SELECT version_num FROM alembic_version_coinrequest")
    assert len(rows) == 1


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
