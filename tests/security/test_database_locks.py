"""Only writers can block registrations and migrations, and the error names a writer that blocks them."""

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
    """Open a transaction, execute the statements, and roll it back at the end."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
        yield connection
        connection.rollback()


def owner_url() -> str:
    return os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


@pytest.fixture
def reader_with_advisory_locks() -> Iterator[str]:
    """The role on a server without a superuser (RDS): it may call the functions that everybody may call."""
    functions = "pg_catalog.pg_advisory_lock(bigint), pg_catalog.pg_advisory_xact_lock(bigint)"
    as_superuser(f"GRANT EXECUTE ON FUNCTION {functions} TO coinrequest_reader", database="airflow")
    yield reader_url()
    as_superuser(f"REVOKE EXECUTE ON FUNCTION {functions} FROM coinrequest_reader", database="airflow")


def test_a_reader_with_all_locks_it_can_take_does_not_block_a_registration(
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


def test_a_writer_that_hangs_causes_a_503_with_the_reason(
    op: TestClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_LONGEST_WAIT", "200ms")
    with transaction(owner_url(), "SELECT id FROM coinrequest_installation FOR UPDATE"):
        answer = op.post(TYPES, json=environment.definition(name))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.json()["detail"] == (
            "Concurrent changes to the same rows take too long; nothing was changed, repeat the request"
        )
        # Reading and submitting do not wait for registrations.
        assert op.get(TYPES).status_code == 200
    assert op.post(TYPES, json=environment.definition(name)).status_code == 201


def test_the_time_limit_ends_with_the_transaction() -> None:
    with transaction(owner_url()) as connection:
        registry.lock(connection)
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "10s"
        connection.rollback()
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "0"


def test_revision_numbers_become_visible_in_order_for_every_writer(name: str) -> None:
    """Without `registry.lock`, as the previous release or a person with psql would append."""
    with transaction(owner_url()) as first, transaction(owner_url()) as second:
        number = int(first.execute(_APPEND, {"name": name}).scalar_one())
        second.execute(text("SET LOCAL lock_timeout = '200ms'"))
        with pytest.raises(OperationalError) as refused:
            second.execute(_APPEND, {"name": name})
        assert is_lock_timeout(refused.value)
        second.rollback()
        first.commit()
        # The number was not taken before the lock was held.
        assert int(second.execute(_APPEND, {"name": name}).scalar_one()) == number + 1
        second.commit()


def test_an_agent_waits_while_others_use_all_connections_of_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_migration_does_not_wait_indefinitely_for_a_reader() -> None:
    """All others would wait for the migration meanwhile."""
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
