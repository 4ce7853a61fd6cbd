"""A migration is what it was when it was written: its SQL stands in it, and nothing of the package can change it."""

import ast
from pathlib import Path

import pytest

VERSIONS = Path(__file__).resolve().parents[3] / "coinrequest" / "database" / "migrations" / "versions"


def imported(source: str) -> set[str]:
    """Return the packages that a module imports, wherever it does so; a relative one is `.`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add("." if node.level else (node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("0*.py")), ids=lambda path: path.stem)
def test_a_migration_imports_nothing_of_the_package(path: Path) -> None:
    assert imported(path.read_text()) <= {"sqlalchemy", "alembic"}


@pytest.mark.parametrize(
    "line",
    ["import coinrequest.database.tables", "from coinrequest.database.tables import job", "from .. import following"],
)
def test_an_import_is_found_also_in_a_function(line: str) -> None:
    assert not imported(f"def upgrade():\n    {line}\n") <= {"sqlalchemy", "alembic"}
