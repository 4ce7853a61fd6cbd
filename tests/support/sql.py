"""`sql.query` on a throwaway PostgreSQL, as its superuser: nobody's missing rights do the action's work."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from coinrequest.actions.context import ActionContext, Database
from coinrequest.actions.sql_query import SqlQuery, SqlQueryInputs, SqlQueryResult
from coinrequest.install.secrets import ensure_secrets
from coinrequest.stack.environment import database_url
from coinrequest.stack.layout import Layout
from coinrequest.stack.ports import kept_ports
from support import api_environment as environment

VARIABLE = "COINREQUEST_SQL_CONNECTIONS"


@dataclass
class OpenContext(ActionContext):
    """Opens one PostgreSQL under every name, and keeps what is reported."""

    url: str
    options: Mapping[str, Any] = field(default_factory=dict)
    reports: list[tuple[float, str]] = field(default_factory=list)

    @contextmanager
    def open_database(self, name: str) -> Iterator[Database]:
        connection = psycopg.connect(self.url, **self.options)
        try:
            yield Database(kind="postgres", connection=connection)
        finally:
            connection.close()

    def report(self, done: float, total: float | None = None, message: str = "") -> None:
        self.reports.append((done, message))


@contextmanager
def superuser_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="coinrequest-sql-") as folder:
        # Not below pytest's own folders: those are closed to the account that PostgreSQL runs under.
        root = Path(folder)
        root.chmod(0o711)
        with environment.postgres(root / "stack"):
            layout = Layout(root / "stack")
            yield database_url(kept_ports(layout), "postgres", ensure_secrets(layout.secrets).postgres_superuser)


def query(url: str, sql: str, **inputs: Any) -> SqlQueryResult:
    """Run the action in a process where the connection is granted for what is asked."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "shop" if inputs.get("read_only", True) else "shop:write"
    try:
        document = {"connection": "shop", "sql": sql, **inputs}
        return SqlQuery(OpenContext(url)).run(SqlQueryInputs.model_validate(document))
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
