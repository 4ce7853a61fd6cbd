"""A roll-back leaves the database migrated: one version back has to work on it (docs/how-to/release.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

VERSIONS = Path(__file__).resolve().parents[3] / "coinrequest" / "database" / "migrations" / "versions"
# What takes something away from the version before, or means another thing to it.
_TAKING = {
    "alter_column",
    "batch_alter_table",
    "drop_column",
    "drop_constraint",
    "drop_table",
    "drop_table_comment",
    "rename_table",
}
_TAKING_IN_SQL = ("DROP TABLE", "DROP COLUMN", "RENAME ", "SET NOT NULL", "ALTER COLUMN")
# A migration may take away what the version before has stopped to use; it says so with this word and that version.
_CONTRACT = "Contract: unused since "


def problems(source: str) -> Iterator[str]:
    """Yield what a migration's way up does that the version before could not live with."""
    module = ast.parse(source)
    if _CONTRACT in (ast.get_docstring(module) or ""):
        return
    for function in module.body:
        if isinstance(function, ast.FunctionDef) and function.name != "downgrade":
            yield from _problems_of(function)
    # Columns may be listed outside of the functions.
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) == "op.add_column" and isinstance(call.args[1], ast.Call):
            yield from _problems_of_column(call.args[1])
    for node in module.body:
        if isinstance(node, ast.Assign):
            for call in (one for one in ast.walk(node) if isinstance(one, ast.Call)):
                if ast.unparse(call.func) == "sa.Column":
                    yield from _problems_of_column(call)


def _problems_of(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TAKING:
            yield f"line {node.lineno}: {node.func.attr}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (f"line {node.lineno}: {part}" for part in _TAKING_IN_SQL if part in node.value.upper())


def _problems_of_column(column: ast.Call) -> Iterator[str]:
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in column.keywords}
    if given.get("nullable") == "False" and "server_default" not in given:
        yield f"line {column.lineno}: a new column that the version before cannot fill needs a server_default"


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("0*.py")), ids=lambda path: path.stem)
def test_a_migration_only_adds(path: Path) -> None:
    assert list(problems(path.read_text())) == []


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_column("coinrequest_job", "labels")',
        'op.rename_table("coinrequest_job", "job")',
        'op.alter_column("coinrequest_job", "labels", nullable=False)',
        'op.execute("ALTER TABLE coinrequest_job DROP COLUMN labels")',
        'op.add_column("coinrequest_job", sa.Column("colour", sa.Text, nullable=False))',
    ],
)
def test_what_takes_something_away_is_found(line: str) -> None:
    upgrade = f"def upgrade() -> None:\n    {line}\n"
    assert list(problems(upgrade))
    assert list(problems(f'"""Contract: unused since 1.4."""\n{upgrade}')) == []


def test_the_way_down_may_take_away() -> None:
    assert list(problems('def downgrade() -> None:\n    op.drop_table("coinrequest_job")\n')) == []
