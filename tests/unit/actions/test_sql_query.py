"""`sql.query` without a server: what is granted, SQLite, databases of other kinds, and what goes to MySQL."""

import sqlite3
import types
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coinrequest.actions.base import ActionFailed
from coinrequest.actions.context import ActionContext, ConnectionUnavailable, Database
from coinrequest.actions.sql.mysql import MysqlSession
from coinrequest.actions.sql.session import Statement, UnsupportedDatabase, paramstyle
from coinrequest.actions.sql.values import json_ready
from coinrequest.actions.sql_query import (
    SqlNothingMatched,
    SqlQuery,
    SqlQueryInputs,
    SqlQueryResult,
    SqlRefused,
    SqlResultInvalid,
    SqlStatementFailed,
    SqlTimeout,
)

VARIABLE = "COINREQUEST_SQL_CONNECTIONS"
ENDLESS = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n"


@dataclass
class FileContext(ActionContext):
    """Opens one SQLite file, under a kind of the test's choice."""

    path: Path
    kind: str = "sqlite"

    @contextmanager
    def open_database(self, name: str) -> Iterator[Database]:
        if name == "missing":
            raise ConnectionUnavailable("there is no connection 'missing'")
        connection = sqlite3.connect(self.path)
        try:
            yield Database(kind=self.kind, connection=connection)
        finally:
            connection.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE orders (id INTEGER, name TEXT); CREATE INDEX by_id ON orders (id);"
        "INSERT INTO orders VALUES (1, 'a'), (2, 'b')"
    )
    connection.close()
    return path


@pytest.fixture(autouse=True)
def granted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "shop, ledger:write ,missing")


def ask(file: Path, sql: str, kind: str = "sqlite", **inputs: Any) -> SqlQueryResult:
    document = {"connection": "shop", "sql": sql, **inputs}
    return SqlQuery(FileContext(file, kind)).run(SqlQueryInputs.model_validate(document))


def stored(file: Path) -> int:
    connection = sqlite3.connect(file)
    try:
        return int(connection.execute("SELECT count(*) FROM orders").fetchone()[0])
    finally:
        connection.close()


def test_rows_are_objects_with_their_columns_in_order(file: Path) -> None:
    result = ask(file, "SELECT name, id FROM orders WHERE id < :below ORDER BY id", parameters={"below": 9})
    assert result.columns == ("name", "id")
    assert result.rows == ({"name": "a", "id": 1}, {"name": "b", "id": 2})
    assert (result.row_count, result.truncated, result.changed_rows) == (2, False, None)
    assert result.model_dump(mode="json")["rows"][0] == {"name": "a", "id": 1}


@pytest.mark.parametrize("parameters", [{}, {"text": "a"}], ids=["without", "with"])
def test_percent_signs_mean_what_they_mean_in_sql(file: Path, parameters: dict[str, str]) -> None:
    sql = "SELECT '%s %(x)s 100%%' AS text, 12 % 5 AS rest FROM orders WHERE name LIKE '%a%' -- 5% of %s, :no"
    if parameters:
        sql = sql.replace("'%a%'", "'%' || :text || '%'")
    assert ask(file, sql, parameters=parameters).rows == ({"text": "%s %(x)s 100%%", "rest": 2},)


def test_the_row_limit_truncates_the_result(file: Path) -> None:
    result = ask(file, ENDLESS, row_limit=2)
    assert (result.rows, result.truncated) == (({"n": 1}, {"n": 2}), True)
    result = ask(file, "SELECT id FROM orders", row_limit=2)
    assert (result.row_count, result.truncated) == (2, False)


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM orders",
        "SELECT 1; DELETE FROM orders",
        "COMMIT",
        "BEGIN IMMEDIATE",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = WAL",
        "PRAGMA user_version = 7",
        "ATTACH DATABASE '{folder}/other' AS other",
        "VACUUM INTO '{folder}/other'",
        "CREATE TEMP TABLE copied AS SELECT * FROM orders",
        "WITH gone AS (SELECT 1) DELETE FROM orders",
        "SELECT load_extension('{folder}/x')",
        "REINDEX",
        "ANALYZE",
        "EXPLAIN DELETE FROM orders",
    ],
)
def test_sqlite_enforces_read_only_access(file: Path, attack: str) -> None:
    before = file.read_bytes()
    with pytest.raises(SqlStatementFailed):
        ask(file, attack.replace("{folder}", str(file.parent)))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_granted_write_is_committed(file: Path) -> None:
    inputs: dict[str, Any] = {"connection": "ledger", "read_only": False}
    result = ask(file, "INSERT INTO orders VALUES (:id, :name)", parameters={"id": 3, "name": "'); --"}, **inputs)
    assert (result.changed_rows, result.rows, stored(file)) == (1, (), 3)
    with pytest.raises(SqlStatementFailed):
        ask(file, "DELETE FROM orders; DELETE FROM orders", **inputs)
    with pytest.raises(SqlResultInvalid, match="two columns have the name 'id'"):
        ask(file, "DELETE FROM orders RETURNING id, id", **inputs)
    assert stored(file) == 3


def test_only_granted_connections_can_be_used(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SqlRefused, match=r"'bank' is not granted.*COINREQUEST_SQL_CONNECTIONS"):
        ask(file, "SELECT 1 AS n", connection="bank")
    with pytest.raises(SqlRefused, match=r"shop:write in COINREQUEST_SQL_CONNECTIONS"):
        ask(file, "DELETE FROM orders", read_only=False)
    with pytest.raises(SqlRefused, match="there is no connection 'missing'"):
        ask(file, "SELECT 1 AS n", connection="missing")
    assert SqlQuery.unavailable() is None
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(SqlRefused, match="is not granted"):
        ask(file, "SELECT 1 AS n")
    assert VARIABLE in str(SqlQuery.unavailable())
    monkeypatch.setenv(VARIABLE, "shop:read")
    assert "name:write, not 'shop:read'" in str(SqlQuery.unavailable())
    with pytest.raises(SqlRefused, match="name:write"):
        ask(file, "SELECT 1 AS n")


def test_without_a_platform_there_are_no_connections() -> None:
    with pytest.raises(SqlRefused, match="there is no connection 'shop'"):
        SqlQuery().run(SqlQueryInputs(connection="shop", sql="SELECT 1 AS n"))


def test_a_database_without_read_only_access_needs_the_grant_to_write(file: Path) -> None:
    with pytest.raises(
        SqlRefused, match=r"cannot be enforced for databases of type 'oracle'.*name:write.*read_only: false"
    ):
        ask(file, "SELECT 1 AS n", kind="oracle")
    result = ask(file, "SELECT :n AS n", kind="oracle", connection="ledger", read_only=False, parameters={"n": 5})
    assert result.rows == ({"n": 5},)


def test_a_statement_that_takes_too_long_is_cancelled(file: Path) -> None:
    with pytest.raises(SqlTimeout, match=r"longer than 0\.2 s"):
        ask(file, ENDLESS.replace("SELECT n FROM", "SELECT max(n) AS n FROM"), timeout=0.2)


def test_stop_cancels_the_statement(file: Path) -> None:
    context = FileContext(file)
    action = SqlQuery(context)
    seen: list[str] = []

    def report(done: float, total: float | None = None, message: str = "") -> None:
        seen.append(message)
        if message == "rows read":
            action.stop()

    context.report = report  # type: ignore[method-assign]
    with pytest.raises(SqlTimeout, match="stopped"):
        action.run(SqlQueryInputs(connection="shop", sql=ENDLESS, row_limit=10_000))
    assert seen == ["waiting for the database", "rows read"]


@pytest.mark.parametrize(
    ("sql", "parameters", "error", "message"),
    [
        ("SELECT * FROM nowhere", {}, SqlStatementFailed, "shop: no such table: nowhere"),
        ("SELECT :a AS a", {"a": [1]}, SqlRefused, "only PostgreSQL supports"),
        ("SELECT :a AS a", {"a": 2**70}, SqlStatementFailed, "too large"),
        ("SELECT :a AS a", {}, SqlStatementFailed, "parameters has no 'a'"),
        ("SELECT 1 AS a, 2 AS a", {}, SqlResultInvalid, "two columns have the name 'a'"),
        ("SELECT printf('%.*c', 2000000, 'x') AS a", {}, SqlResultInvalid, "960 KiB as JSON"),
    ],
)
def test_failures_have_the_reason(
    file: Path, sql: str, parameters: dict[str, Any], error: type[ActionFailed], message: str
) -> None:
    with pytest.raises(error) as caught:
        ask(file, sql, parameters=parameters)
    assert message in str(caught.value)
    assert error in SqlQuery.failures


def test_a_text_of_any_bytes_is_returned(file: Path) -> None:
    # The worker replaces NUL in every result.
    (row,) = ask(file, "SELECT CAST(x'636166e9' AS TEXT) AS latin, char(0) AS nul, x'00ff' AS blob").rows
    assert row == {"latin": "caf\ufffd", "nul": "\x00", "blob": "AP8="}


@pytest.mark.parametrize(
    "wrong",
    [
        {"connection": "a b"},
        {"connection": ""},
        {"sql": ""},
        {"row_limit": 0},
        {"row_limit": 10_001},
        {"timeout": 0},
        {"parameters": {"1a": 1}},
        {"parameters": {"a b": 1}},
        {"parameters": {"ü": 1}},
        {"read_only": "no"},
    ],
)
def test_inputs_are_checked_before_anything_is_opened(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SqlQueryInputs.model_validate({"connection": "shop", "sql": "SELECT 1", **wrong})


def test_values_become_json_without_losing_precision() -> None:
    moment = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    assert json_ready(Decimal("1E+3")) == "1000"
    assert json_ready(moment) == "2026-11-22T10:00:00+00:00"
    assert json_ready([date(2026, 1, 2), {"at": moment}, (1, None)]) == [
        "2026-01-02",
        {"at": "2026-11-22T10:00:00+00:00"},
        [1, None],
    ]
    assert json_ready(timedelta(days=-1, seconds=1)) == "-P0DT86399S"
    assert json_ready(uuid.UUID(int=1)) == "00000000-0000-0000-0000-000000000001"
    assert json_ready(float("inf")) == "inf"
    assert json_ready(memoryview(b"\x00")) == "AA=="


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_keep_every_digit(number: Decimal) -> None:
    text = json_ready(number)
    assert "E" not in text
    assert Decimal(text) == number


class _Recorder:
    """A connection and cursor of MySQL that keeps what is sent."""

    description = None
    rowcount = -1

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    def cursor(self) -> "_Recorder":
        return self

    def execute(self, *sent: Any) -> None:
        self.sent.append(sent)

    def rollback(self) -> None: ...

    def close(self) -> None: ...


def test_mysql_prepares_a_single_query_and_binds_on_the_server() -> None:
    recorder = _Recorder()
    sql = "SELECT ':x', d FROM orders WHERE a = :a OR b = :b OR c = :a; "
    MysqlSession(recorder).execute(Statement(sql, {"a": "';", "b": 2}, timeout=3))
    judged = "SELECT ':x', d FROM orders WHERE a = ? OR b = ? OR c = ?"
    assert recorder.sent[-8:] == [
        ("SET SESSION TRANSACTION READ ONLY",),
        ("PREPARE coinrequest_judge FROM %s", (f"(\n{judged}\n)".join(("SELECT 1 FROM ", " AS q")),)),
        ("PREPARE coinrequest FROM %s", (judged + "; ",)),
        ("SET @coinrequest_0 = %s", ("';",)),
        ("SET @coinrequest_1 = %s", (2,)),
        ("SET @coinrequest_2 = %s", ("';",)),
        ("START TRANSACTION READ ONLY",),
        ("EXECUTE coinrequest USING @coinrequest_0, @coinrequest_1, @coinrequest_2",),
    ]


def test_the_paramstyle_is_that_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = types.ModuleType("driver_of_the_test")
    monkeypatch.setitem(__import__("sys").modules, "driver_of_the_test", driver)
    connection = type("Connection", (), {"__module__": "driver_of_the_test.inner"})()
    with pytest.raises(UnsupportedDatabase, match="does not define a paramstyle"):
        paramstyle(connection)
    driver.paramstyle = "numeric"  # type: ignore[attr-defined]
    assert paramstyle(connection) == "numeric"


def test_a_statement_that_must_match_fails_if_it_finds_or_changes_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "shop:write")
    assert ask(file, "SELECT id FROM orders WHERE id = 9").row_count == 0
    for sql, read_only in (
        ("SELECT id FROM orders WHERE id = 9", True),
        ("UPDATE orders SET name = 'c' WHERE id = 9", False),
    ):
        with pytest.raises(SqlNothingMatched, match="found no row and changed none"):
            ask(file, sql, read_only=read_only, must_match=True)
    assert ask(file, "SELECT id FROM orders", must_match=True).row_count == 2
    assert ask(file, "UPDATE orders SET name = 'c' WHERE id = 1", read_only=False, must_match=True).changed_rows == 1
