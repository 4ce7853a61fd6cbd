"""The schema of the project: its migrations, its committed dump, and databases on the throwaway PostgreSQL."""

import hashlib
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from coinrequest.stack.layout import project_root
from coinrequest.stack.servers import postgres_binaries
from support.databases import as_superuser, owner_url

_ROOM = project_root() / "coinrequest" / "database"
DUMP = _ROOM / "schema.sql"
# As `sha256sum --check` reads it, in the folder of the versions.
CHECKSUMS = _ROOM / "migrations" / "versions" / "SHA256SUMS"
_CONFIG = _ROOM / "migrations" / "alembic.ini"
_AIRFLOW_ALONE = "airflow_alone"
_HEADER = (
    "-- The schema at the last version, dumped from PostgreSQL. `make schema` writes this file; nothing runs it.\n\n"
)


def migrations() -> list[Script]:
    """Return the migrations, oldest first."""
    return list(ScriptDirectory.from_config(Config(_CONFIG)).walk_revisions())[::-1]


def checksums() -> dict[str, str]:
    """Return the checksum of each migration's file."""
    paths = [Path(script.path) for script in migrations()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def recorded_checksums() -> dict[str, str]:
    """Return the checksum that each migration's file had when it landed."""
    lines = CHECKSUMS.read_text().splitlines() if CHECKSUMS.exists() else []
    return {name: checksum for checksum, name in (line.split() for line in lines)}


def upgrade(url: str, version: str = "heads") -> None:
    """Migrate a database up to a version."""
    _migrate(url, "upgrade", version)


def downgrade(url: str, version: str) -> None:
    """Migrate a database down to a version."""
    _migrate(url, "downgrade", version)


def _migrate(url: str, direction: str, version: str) -> None:
    config = Config(_CONFIG)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        config.attributes["connection"] = connection
        getattr(command, direction)(config, version)


@contextmanager
def database(name: str, version: str | None = None) -> Iterator[str]:
    """A database with Airflow's tables, and the project's at `version`; give its URL."""
    _ensure_airflow_alone()
    as_superuser(f'CREATE DATABASE "{name}" OWNER airflow TEMPLATE "{_AIRFLOW_ALONE}"')
    try:
        url = owner_url().set(database=name).render_as_string(False)
        if version:
            upgrade(url, version)
        yield url
    finally:
        as_superuser(f'DROP DATABASE "{name}" WITH (FORCE)')


def _ensure_airflow_alone() -> None:
    """Create the template with Airflow's tables alone, once."""
    if as_superuser(f"SELECT FROM pg_database WHERE datname = '{_AIRFLOW_ALONE}'"):
        return
    from airflow.models import import_all_models
    from airflow.models.base import Base

    as_superuser(f'CREATE DATABASE "{_AIRFLOW_ALONE}" OWNER airflow')
    import_all_models()
    Base.metadata.create_all(create_engine(owner_url().set(database=_AIRFLOW_ALONE), poolclass=NullPool))


def dump(url: str) -> str:
    """Return the SQL of everything in a database that has `coinrequest` in its name, on Airflow's tables too."""
    with tempfile.TemporaryDirectory() as folder:
        archive = _archive(url, Path(folder))
        wanted = Path(folder) / "wanted"
        wanted.write_text("\n".join(line for line in _contents(archive) if "coinrequest" in line))
        script = _run("pg_restore", "--no-owner", f"--use-list={wanted}", "--file=-", str(archive))
    # Around it stand the versions of the programs, and a random word.
    first, end = script.index("--\n-- Name: "), script.index("--\n-- PostgreSQL database dump complete")
    return _HEADER + script[first:end].rstrip() + "\n"


def objects(url: str) -> set[str]:
    """Return the kind and name of everything in a database but the database itself."""
    with tempfile.TemporaryDirectory() as folder:
        entries = _contents(_archive(url, Path(folder)))
    # Three numbers come first, which differ between databases.
    return {name for entry in entries if not (name := entry.split(" ", 3)[3]).startswith("DATABASE")}


def _archive(url: str, folder: Path) -> Path:
    archive, server = folder / "archive", make_url(url)
    variables = {
        "PGHOST": str(server.host),
        "PGPORT": str(server.port),
        "PGUSER": str(server.username),
        "PGPASSWORD": str(server.password),
        "PGDATABASE": str(server.database),
    }
    _run("pg_dump", "--format=custom", "--schema-only", f"--file={archive}", **variables)
    return archive


def _contents(archive: Path) -> list[str]:
    lines = _run("pg_restore", "--list", str(archive)).splitlines()
    return [line for line in lines if line and not line.startswith(";")]


def _run(program: str, *arguments: str, **variables: str) -> str:
    # For a folder that holds no data yet, these are the newest ones, which the throwaway server has too.
    binary = postgres_binaries(Path("newest")) / program
    done = subprocess.run([str(binary), *arguments], env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{program} failed: {done.stderr}")
    return done.stdout
