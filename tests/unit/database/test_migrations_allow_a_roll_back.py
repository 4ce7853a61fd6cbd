"""A rollback leaves the database migrated: the version before has to work on it (docs/how-to/release.md).

Alembic writes the SQL of each upgrade, wherever in the file it comes from, and this reads all of it: what strings hold
that PostgreSQL executes, too.
"""

import importlib.util
import io
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from support.schema import migrations

# A migration may take away what the version before has stopped to use; it says so with these words and that version.
_CONTRACT = "Contract: unused since "
# A new function may delete rows: nothing calls it yet.
_BODY_OF_A_FUNCTION = re.compile(r"\bAS (\$\w*\$).*?\1")
# What takes something away from the version before, or means another thing to it.
_TAKING = re.compile(
    r"\b(DROP|RENAME|TRUNCATE|ALTER TYPE|ALTER DOMAIN|ALTER COLUMN|ALTER (?=\w+ (SET|TYPE)\b)|SET NOT NULL|SET SCHEMA"
    r"|DELETE FROM|DISABLE TRIGGER|ENABLE ROW LEVEL|DETACH PARTITION|REVOKE (?![^;]{1,200} FROM PUBLIC\b))"
)
_CREATED = re.compile(r"\bCREATE TABLE (?:IF NOT EXISTS )?([\w.]+)")
# What rows of the version before may break, on a table that is not new: constraints, and columns that it cannot fill.
_CONSTRAINT = re.compile(
    r"\bCREATE UNIQUE INDEX [^;]{1,200}? ON (?:ONLY )?([\w.]+)"
    r"|\bALTER TABLE (?:IF EXISTS )?(?:ONLY )?([\w.]+)[^;]*?\bADD (?:CONSTRAINT|UNIQUE|CHECK|PRIMARY|FOREIGN|EXCLUDE)\b"
)
_COLUMN = re.compile(
    r"\bADD (?!CONSTRAINT\b|UNIQUE\b|CHECK\b|PRIMARY\b|FOREIGN\b|EXCLUDE\b|GENERATED\b).*?(?=, ADD |;|$)"
)


def upgrade_sql(migration: ModuleType) -> str:
    """Return the SQL of a migration's upgrade."""
    written = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written, "literal_binds": True}
    )
    with Operations.context(context):
        migration.upgrade()
    return written.getvalue()


def problems(migration: ModuleType) -> list[str]:
    """Return what the upgrade of a migration does that the version before cannot live with."""
    if _CONTRACT in (migration.__doc__ or ""):
        return []
    without_comments = re.sub(r"--[^\n]*|/\*.*?\*/", " ", upgrade_sql(migration), flags=re.DOTALL)
    return list(_problems(" ".join(without_comments.upper().replace('"', "").replace("PUBLIC.", "").split())))


def _problems(sql: str) -> Iterator[str]:
    new = set(_CREATED.findall(sql))
    bodies = [found[0].replace("DELETE FROM", "") for found in _BODY_OF_A_FUNCTION.finditer(sql)]
    yield from (found[0] for part in (_BODY_OF_A_FUNCTION.sub("", sql), *bodies) for found in _TAKING.finditer(part))
    for found in _CONSTRAINT.finditer(sql):
        if (found[1] or found[2]) not in new:
            yield found[0]
    for found in _COLUMN.finditer(sql):
        if re.search(r"\bNOT NULL\b", found[0]) and not re.search(r"\b(DEFAULT|GENERATED)\b", found[0]):
            yield f"{found[0]}: the version before cannot fill it, so it needs a default"


@pytest.mark.parametrize("script", migrations(), ids=lambda script: script.revision)
def test_a_migration_only_adds(script: Script) -> None:
    assert problems(script.module) == []


def of(tmp_path: Path, source: str) -> ModuleType:
    path = tmp_path / "0008_more.py"
    path.write_text(f"{source}\n")
    spec = importlib.util.spec_from_file_location("more", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_IMPORTS = "import sqlalchemy as sa\nfrom alembic import op\n"


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_column("coinrequest_job", "labels")',
        'op.drop_index("coinrequest_job_ended")',
        'op.rename_table("coinrequest_job", "job")',
        'op.alter_column("coinrequest_job", "labels", nullable=False)',
        'op.alter_column("coinrequest_job", "labels", type_=sa.Text)',
        'op.add_column("coinrequest_job", sa.Column("colour", sa.Text, nullable=False))',
        'op.create_unique_constraint("once", "coinrequest_job", ["labels"])',
        'op.create_index("once", "coinrequest_job", ["labels"], unique=True)',
        'op.create_check_constraint("short", "coinrequest_job", "length(run_id) < 9")',
    ],
)
def test_an_operation_that_takes_something_away_is_found(tmp_path: Path, line: str) -> None:
    upgrade = f"{_IMPORTS}def upgrade():\n    {line}"
    assert problems(of(tmp_path, upgrade)) != []
    assert problems(of(tmp_path, f'"""Contract: unused since 1.4."""\n{upgrade}')) == []


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE coinrequest_job DROP COLUMN labels",
        "alter table public.coinrequest_job\n    drop labels",
        "DROP TABLE IF EXISTS coinrequest_job",
        "DROP FUNCTION public.coinrequest_clean(interval, integer)",
        "DROP TRIGGER coinrequest_follow_run ON public.dag_run",
        "ALTER TYPE colour ADD VALUE 'blue'",
        "ALTER TABLE coinrequest_job RENAME labels TO tags",
        "ALTER TABLE coinrequest_job ALTER labels TYPE text",
        "ALTER TABLE coinrequest_job ALTER COLUMN labels SET NOT NULL",
        "ALTER TABLE coinrequest_job ADD COLUMN colour text, ADD shade text NOT NULL",
        "ALTER TABLE coinrequest_job ADD colour numeric(3, 2) NOT NULL",
        "ALTER TABLE ONLY coinrequest_job ADD CONSTRAINT once UNIQUE (labels)",
        "CREATE UNIQUE INDEX CONCURRENTLY once ON public.coinrequest_job (labels)",
        "TRUNCATE coinrequest_tally",
        "DELETE FROM coinrequest_notice WHERE state = 'failed'",
        "REVOKE SELECT ON coinrequest_revision FROM coinrequest_reader",
        "ALTER TABLE dag_run DISABLE TRIGGER coinrequest_follow_run",
        "DO $$ BEGIN EXECUTE 'ALTER TABLE coinrequest_job DROP COLUMN labels'; END $$",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $body$ BEGIN DROP TABLE coinrequest_job; END $body$",
        "DO $$ BEGIN EXECUTE pg_catalog.format('DROP TABLE %I', 'coinrequest_job'); END $$",
        "/* nothing */ DROP -- really\n TABLE coinrequest_job",
    ],
)
def test_sql_that_takes_something_away_is_found_wherever_it_stands(tmp_path: Path, sql: str) -> None:
    assert problems(of(tmp_path, f"{_IMPORTS}def upgrade():\n    op.execute({sql!r})")) != []
    constant = (
        f"{_IMPORTS}_ALL = (\n    'SELECT 1',\n    {sql!r},\n)\ndef upgrade():\n    [op.execute(one) for one in _ALL]"
    )
    assert problems(of(tmp_path, constant)) != []


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE coinrequest_job ADD COLUMN colour text",
        "ALTER TABLE coinrequest_job ADD colour text NOT NULL DEFAULT 'red', ADD shade text",
        "CREATE TABLE public.colour (name text NOT NULL); CREATE UNIQUE INDEX once ON colour (name)",
        "CREATE OR REPLACE TRIGGER coinrequest_more AFTER INSERT ON public.dag_run FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM coinrequest_job $$",
        "REVOKE ALL ON FUNCTION public.coinrequest_more() FROM PUBLIC",
        "-- nothing may DROP here\nSELECT 1",
    ],
)
def test_sql_that_only_adds_may_stand(tmp_path: Path, sql: str) -> None:
    assert problems(of(tmp_path, f"{_IMPORTS}def upgrade():\n    op.execute({sql!r})")) == []


def test_the_downgrade_may_take_away(tmp_path: Path) -> None:
    source = f'{_IMPORTS}_UNDO = "DROP TABLE x"\ndef upgrade():\n    pass\ndef downgrade():\n    op.execute(_UNDO)'
    assert problems(of(tmp_path, source)) == []
