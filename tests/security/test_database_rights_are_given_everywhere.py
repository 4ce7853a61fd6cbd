"""Every way to create the database and its roles grants the same rights, from one file."""

import pytest

from coinrequest.stack.layout import project_root

pytestmark = pytest.mark.security

RIGHTS = "database-rights.psql"


@pytest.mark.parametrize(
    "path",
    [
        "coinrequest/stack/servers.py",
        "docker/create-roles.sh",
        "docker/create_database_roles.py",
        "docker-compose.yaml",
        "kubernetes/components/servers-inside/postgres.yaml",
        "scripts/restore",
    ],
)
def test_the_file_is_used(path: str) -> None:
    assert RIGHTS in (project_root() / path).read_text()


def test_no_other_file_grants_rights() -> None:
    for folder in ("coinrequest/stack", "docker", "scripts", "aws", "terraform", "kubernetes"):
        for path in (project_root() / folder).rglob("*"):
            if path.is_file() and path.name != RIGHTS and path.suffix in ("", ".py", ".sh", ".yaml", ".tf"):
                assert "default_transaction_read_only" not in path.read_text(errors="replace"), path


def test_every_client_can_run_it() -> None:
    """It has no commands of psql, so drivers can run it; the PostgreSQL image does not run it by itself."""
    lines = (project_root() / "docker" / RIGHTS).read_text().splitlines()
    assert not [line for line in lines if line.lstrip().startswith("\\")]
    assert not RIGHTS.endswith((".sql", ".sh"))
