"""The API over a real PostgreSQL, in this process: for tests in every rung that names this as a plugin.

The root `conftest.py` loads it. A rung's own fixture of the same name takes the place of one of these.
"""

import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import api_environment as environment
from support.api_environment import Clients, Sql

with warnings.catch_warnings():
    # Starlette prefers httpx2; Airflow's own dependencies bring httpx.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


@pytest.fixture(scope="session")
def airflow_app() -> Iterator[Any]:
    before = dict(os.environ)
    # Not below pytest's own folders: those are closed to the account that PostgreSQL runs under.
    with tempfile.TemporaryDirectory(prefix="coinrequest-api-") as folder:
        root = Path(folder)
        root.chmod(0o711)
        with environment.postgres(root / "stack") as url:
            environment.clear(environment.settings(root, url))
            try:
                with warnings.catch_warnings():
                    # Airflow's and FAB's own start: alembic settings, Flask extensions, SQLAlchemy.
                    warnings.simplefilter("ignore")
                    environment.reconnect()
                    environment.migrate()
                    from airflow.api_fastapi.app import create_app

                    app = create_app()
                    environment.create_users()
                _check_every_time()
                yield app
                from airflow import settings

                settings.dispose_orm(do_log=False)
            finally:
                os.environ.clear()
                os.environ.update(before)


@pytest.fixture(scope="session")
def tokens(airflow_app: Any) -> dict[str, str]:
    from airflow.providers.fab.auth_manager.models import User
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return {
            role: airflow_app.state.auth_manager.generate_jwt(
                session.scalars(select(User).where(User.username == role.lower())).one()
            )
            for role in environment.ROLES
        }


@pytest.fixture(scope="session")
def client_of(airflow_app: Any, tokens: dict[str, str]) -> Clients:
    """A function that gives the client of a role; None: of somebody without a token."""

    def make(role: str | None) -> TestClient:
        headers = {} if role is None else {"Authorization": f"Bearer {tokens[role]}"}
        return TestClient(airflow_app, headers=headers, raise_server_exceptions=False)

    return make


@pytest.fixture(scope="session")
def op(client_of: Clients) -> TestClient:
    return client_of("Op")


@pytest.fixture(scope="session")
def viewer(client_of: Clients) -> TestClient:
    return client_of("Viewer")


@pytest.fixture
def tables_unchanged(airflow_app: Any) -> Iterator[None]:
    """Fails when the test leaves a row more, a row less or another row in any table."""
    before = environment.contents()
    yield
    assert environment.contents() == before


def _check_every_time() -> None:
    """Check the health at each request: tests change something, and ask at once."""
    from coinrequest.api import health
    from coinrequest.single_flight import SingleFlight

    health._report = SingleFlight(health._check_all, keep=0, name="test")


@pytest.fixture
def definition(name: str) -> dict[str, Any]:
    """A small valid definition."""
    return environment.definition(name)


@pytest.fixture
def sql(airflow_app: Any) -> Sql:
    """Execute a statement in a transaction of its own."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    def execute(statement: str, **values: Any) -> None:
        with create_session(scoped=False) as session:
            session.execute(text(statement), values)

    return execute
