"""A migration stays what it was when it landed: it holds its own SQL, and its file is never edited again."""

import ast
from pathlib import Path

import pytest
from alembic.script import Script
from support.schema import checksums, migrations, recorded_checksums

_MAY_IMPORT = {"sqlalchemy", "alembic"}
# What brings in something from outside the file without an import.
_OPENING = {"__import__", "open", "exec", "eval"}


def brought_in(source: str) -> set[str]:
    """Return the packages that a module imports, wherever it does so (a relative one is `.`), and what it may read."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add("." if node.level else (node.module or "").partition(".")[0])
        if isinstance(node, ast.Name) and node.id in _OPENING:
            found.add(node.id)
    return found


@pytest.mark.parametrize("script", migrations(), ids=lambda script: script.revision)
def test_a_migration_imports_nothing_of_the_package(script: Script) -> None:
    assert brought_in(Path(script.path).read_text()) <= _MAY_IMPORT


@pytest.mark.parametrize(
    "line",
    [
        "import coinrequest.database.tables",
        "from coinrequest.database.tables import job",
        "from .. import manager",
        "__import__('coinrequest')",
        "op.execute(open('schema.sql').read())",
    ],
)
def test_an_import_is_found_also_in_a_function(line: str) -> None:
    assert not brought_in(f"def upgrade():\n    {line}\n") <= _MAY_IMPORT


def test_a_migration_that_landed_is_never_edited() -> None:
    found, recorded = checksums(), recorded_checksums()
    edited = sorted(name for name in recorded if found.get(name) != recorded[name])
    assert edited == [], "an installed database never sees the change: write a new version instead"
    assert sorted(found) == sorted(recorded), "`make schema` records the checksum of a new version"
