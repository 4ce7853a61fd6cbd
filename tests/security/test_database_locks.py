"""Nobody but writers can hold up registrations and migrations, and a writer that hangs is told of by name."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool
from starlette.testclient import TestClient
from support import api_environment as environment
from support.databases import as_superuser, copied, reader_url

from coinrequest.database import registry_connection
from coinrequest.database.errors import is_lock_timeout
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.installation import current_id

pytestmark = [pytest.mark.security, pytest.mark.usefixtures("airflow_app")]

TYPES = "/jobs/v1/job-types"
_APPEND = text(
    "INSERT INTO coinrequest_revision (name, change, author, created_at)"
    " VALUES (:name, 'delete', 'tester', now()) RETURNING number"
)


@contextmanager
def transaction(url: str, *statements: str) -> Iterator[Connection]:
    """A transaction that has done this much, and is rolled back at the end."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
        yield connection
        connection.rollback()


def owner_url() -> str:
    return os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


@pytest.fixture
def reader_with_advisory_locks() -> Iterator[str]:
    """The role as a server gives it whose first user is no superuser: what everybody may call, it may call."""
    functions = "pg_catalog.pg_advisory_lock(bigint), pg_catalog.pg_advisory_xact_lock(bigint)"
    as_superuser(f"GRANT EXECUTE ON FUNCTION {functions} TO coinrequest_reader", database="airflow")
    yield reader_url()
    as_superuser(f"REVOKE EXECUTE ON FUNCTION {functions} FROM coinrequest_reader", database="airflow")


def test_a_reader_that_holds_what_it_can_blocks_no_registration(
    op: TestClient, name: str, reader_with_advisory_locks: str
) -> None:
    held = (
        "SET TRANSACTION READ WRITE",
        "SELECT pg_advisory_lock(7305031996)",
        "LOCK TABLE coinrequest_revision, coinrequest_installation IN ACCESS SHARE MODE",
        "SELECT * FROM coinrequest_revision, coinrequest_installation",
        "SELECT coinrequest_clean('30 days', 10000)",
    )
    with transaction(reader_with_advisory_locks, *held):
        assert op.post(TYPES, json=environment.definition(name)).status_code == 201
        assert op.post(f"{TYPES}/{name}/jobs", json={}).status_code == 202


def test_a_writer_that_hangs_is_a_503_that_says_so(op: TestClient, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_LONGEST_WAIT", "200ms")
    with transaction(owner_url(), "SELECT id FROM coinrequest_installation FOR UPDATE"):
        answer = op.post(TYPES, json=environment.definition(name))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.json()["detail"] == (
            "Other changes of the same things take too long; nothing was changed, repeat the request"
        )
        # Who reads, and who submits, waits for no registration.
        assert op.get(TYPES).status_code == 200
    assert op.post(TYPES, json=environment.definition(name)).status_code == 201


def test_the_time_limit_ends_with_the_transaction() -> None:
    with transaction(owner_url()) as connection:
        registry.lock(connection)
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "10s"
        connection.rollback()
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "0"


def test_numbers_become_visible_in_their_order_whoever_writes(name: str) -> None:
    """Without `registry.lock`, as the release before or a person with psql would append."""
    with transaction(owner_url()) as first, transaction(owner_url()) as second:
        number = int(first.execute(_APPEND, {"name": name}).scalar_one())
        second.execute(text("SET LOCAL lock_timeout = '200ms'"))
        with pytest.raises(OperationalError) as refused:
            second.execute(_APPEND, {"name": name})
        assert is_lock_timeout(refused.value)
        second.rollback()
        first.commit()
        # The number was not drawn before the lock was there.
        assert int(second.execute(_APPEND, {"name": name}).scalar_one()) == number + 1
        second.commit()


def test_an_agent_waits_while_others_have_all_connections_of_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_REGISTRY_URL", reader_url())
    as_superuser("ALTER ROLE coinrequest_reader CONNECTION LIMIT 1")
    try:
        with ThreadPoolExecutor(1) as pool:
            with transaction(reader_url()) as held:
                waiting = pool.submit(read_one)
                with pytest.raises(TimeoutError):
                    waiting.result(timeout=0.5)
                held.rollback()
            assert waiting.result(timeout=20) > 100_000_000
    finally:
        as_superuser("ALTER ROLE coinrequest_reader CONNECTION LIMIT 50")


def read_one() -> int:
    with registry_connection.connect() as connection:
        return current_id(connection)


_DOWNGRADE = """
import warnings
warnings.simplefilter("ignore")
from airflow.utils.session import create_session
from coinrequest.database.migrations.manager import RegistryDBManager
with create_session() as session:
    RegistryDBManager(session).downgrade("0002")
"""


def test_a_migration_does_not_wait_for_ever_behind_a_reader() -> None:
    """Everybody else would wait behind the migration for as long."""
    with copied("migrated") as url:
        reader = reader_url().rpartition("/")[0] + "/migrated"
        as_superuser("GRANT CONNECT ON DATABASE migrated TO coinrequest_reader")
        with transaction(reader, "SELECT 1 FROM coinrequest_revision"):
            answer = subprocess.run(
                [sys.executable, "-c", _DOWNGRADE],
                env={**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        assert answer.returncode == 1
        assert answer.stderr.splitlines()[-1].startswith("coinrequest: another session holds a table")
        assert "pg_terminate_backend" in answer.stderr.splitlines()[-1]
