"""On a managed server the first user is not a superuser, but can create the roles and grant their rights."""

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import psycopg
import pytest
from sqlalchemy import make_url
from support import api_environment as environment
from support.databases import connected

from coinrequest.install.secrets import ensure_secrets
from coinrequest.stack.layout import Layout, project_root

pytestmark = pytest.mark.security

_DROP = (
    "DROP DATABASE airflow",
    "DROP OWNED BY coinrequest_reader",
    "DROP ROLE coinrequest_reader",
    "DROP ROLE airflow",
    "CREATE ROLE master LOGIN PASSWORD 'master' CREATEROLE CREATEDB",
    "GRANT CONNECT ON DATABASE postgres TO master",
)


@pytest.fixture(scope="module")
def roles() -> ModuleType:
    path = project_root() / "docker" / "create_database_roles.py"
    spec = importlib.util.spec_from_file_location("create_database_roles", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the first user of a server with nothing on it."""
    # Not below pytest's own folders: those are closed to the account that PostgreSQL runs under.
    with tempfile.TemporaryDirectory(prefix="coinrequest-managed-") as folder:
        Path(folder).chmod(0o711)
        with environment.postgres(Path(folder) / "stack") as owner:
            secrets = ensure_secrets(Layout(Path(folder) / "stack").secrets)
            url = make_url(owner).set(database="postgres")
            superuser = url.set(username="postgres", password=secrets.postgres_superuser)
            with connected(superuser.render_as_string(False)) as connection:
                for statement in _DROP:
                    connection.exec_driver_sql(statement)
            yield url.set(username="master", password="master").render_as_string(False)


def test_the_roles_and_rights_can_be_created_repeatedly(
    master: str, roles: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(master)
    given = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGPASSWORD": url.password}
    passwords = {"COINREQUEST_OWNER_PASSWORD": "airflow", "COINREQUEST_READER_PASSWORD": "reader"}
    for name, value in {**given, **passwords}.items():
        monkeypatch.setenv(name, str(value))

    def as_role(name: str) -> str:
        there = url.set(username=name, password=name.rpartition("_")[2], database="airflow")
        return str(there.render_as_string(False))

    for table in ("nothing", "coinrequest_revision"):
        assert roles.main() == 0
        _settings_are_there(as_role("coinrequest_reader"))
        with psycopg.connect(as_role("airflow"), autocommit=True) as connection:
            connection.execute(f"CREATE TABLE public.{table} AS SELECT 7 AS number")
        with psycopg.connect(as_role("coinrequest_reader"), autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER ROLE coinrequest_reader SET lock_timeout = 1")
    assert roles.main() == 0
    # The table came before the rights.
    with psycopg.connect(as_role("coinrequest_reader")) as connection:
        assert connection.execute("SELECT number FROM coinrequest_revision").fetchall() == [(7,)]


def _settings_are_there(reader: str) -> None:
    with psycopg.connect(reader, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TEMPORARY TABLE x (y int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE x (y int)")
        row = connection.execute(
            "SELECT current_setting('lock_timeout'), rolconnlimit FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == ("10s", 50)
