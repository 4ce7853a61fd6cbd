"""A database of the release before, whose functions could be diverted, is mended by `airflow db migrate` alone."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.databases import as_superuser, copied

from coinrequest.stack.layout import project_root

pytestmark = [pytest.mark.security, pytest.mark.usefixtures("airflow_app")]

_MIGRATE = """
import sys, warnings
warnings.simplefilter("ignore")
from airflow.utils.session import create_session
from alembic import command
from coinrequest.database.migrations.manager import RegistryDBManager
with create_session() as session:
    manager = RegistryDBManager(session)
    if sys.argv[1] == "up":
        command.upgrade(manager.get_alembic_config(), "heads")
    else:
        manager.downgrade(sys.argv[1])
"""


def migrate(url: str, where: str) -> None:
    subprocess.run(
        [sys.executable, "-c", _MIGRATE, where],
        env={**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


def statements_of(path: Path) -> tuple[str, ...]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return tuple(module._STATEMENTS)


def state(database: str) -> dict[str, Any]:
    functions = (
        "SELECT pg_get_functiondef(oid), proacl::text FROM pg_proc WHERE proname LIKE 'coinrequest%' ORDER BY proname"
    )
    return {
        "functions": as_superuser(functions, database=database),
        "tables": as_superuser(
            "SELECT relname, relacl::text FROM pg_class WHERE relname LIKE 'coinrequest%' AND relkind = 'r' ORDER BY 1",
            database=database,
        ),
        "temporary": as_superuser(
            f"SELECT has_database_privilege('coinrequest_reader', '{database}', 'TEMPORARY')", database=database
        ),
    }


def test_the_functions_and_rights_of_the_release_before_are_mended() -> None:
    (before,) = (project_root() / "coinrequest" / "migrations" / "versions").glob("0002_*.py")
    with copied("earlier") as url:
        as_superuser("REVOKE TEMPORARY ON DATABASE earlier FROM PUBLIC")
        expected = state("earlier")
        migrate(url, "0002")
        functions = [one for one in statements_of(before) if "FUNCTION" in one and "TRIGGER" not in one]
        as_superuser(
            *(one.replace(":", "\\:") for one in functions if one.startswith("\nCREATE")),
            *(
                f"GRANT EXECUTE ON FUNCTION {name} TO PUBLIC"
                for name in ("coinrequest_record_run(text, text)", "coinrequest_follow_run()")
            ),
            "GRANT TEMPORARY ON DATABASE earlier TO PUBLIC",
            database="earlier",
        )
        assert state("earlier") != expected
        migrate(url, "up")
        assert state("earlier") == expected
