"""What `sql.query` gives back, writes, binds and limits, on a real PostgreSQL."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from support.sql import VARIABLE, OpenContext, query, superuser_url

from coinrequest.actions.context import Database
from coinrequest.actions.sql.session import Statement, UnsupportedDatabase, session_for
from coinrequest.actions.sql_query import (
    SqlQuery,
    SqlQueryInputs,
    SqlRefused,
    SqlResultInvalid,
    SqlStatementFailed,
    SqlTimeout,
)

VALUES = """
SELECT 12345678901234567890.12::numeric AS exact, 1e400::numeric AS large, 0.1::float8 AS floating,
       'NaN'::float8 AS nothing, 9223372036854775807::int8 AS whole, true AS yes, NULL AS empty,
       '2026-11-22 10:00:00.5+02'::timestamptz AT TIME ZONE 'UTC' AS local,
       '2026-11-22'::date AS day, '10:00'::time AS clock, '1 day 00:00:01.5'::interval AS span,
       '\\x00ff'::bytea AS bytes, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS id,
       '{"a": [1, null, "x"]}'::jsonb AS document, ARRAY[1.5, NULL]::numeric[] AS list, '192.0.2.1'::inet AS address,
       'na' || chr(239) || 've %s :x' AS text
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with superuser_url() as url:
        yield url


@pytest.fixture
def orders(url: str) -> Iterator[str]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, name text CHECK (name <> ''))")
        connection.execute("INSERT INTO orders VALUES (1, 'one'), (2, 'two'), (3, 'three')")
        yield url
        connection.execute("DROP TABLE orders")


def stored(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT * FROM orders ORDER BY id").fetchall()


def test_every_type_of_value_is_json_and_loses_no_digit(url: str) -> None:
    (row,) = query(url, VALUES).rows
    assert row == {
        "exact": "12345678901234567890.12",
        "large": "1" + "0" * 400,
        "floating": 0.1,
        "nothing": "nan",
        "whole": 9223372036854775807,
        "yes": True,
        "empty": None,
        "local": "2026-11-22T08:00:00.500000",
        "day": "2026-11-22",
        "clock": "10:00:00",
        "span": "P1DT1.5S",
        "bytes": "AP8=",
        "id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "document": {"a": [1, None, "x"]},
        "list": ["1.5", None],
        "address": "192.0.2.1",
        "text": "naïve %s :x",
    }


def test_a_time_with_a_zone_carries_its_offset(url: str) -> None:
    (row,) = query(url, "SELECT '2026-11-22 10:00+02'::timestamptz AS moment").rows
    assert datetime.fromisoformat(row["moment"]) == datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_parameters_are_bound_and_nothing_in_them_is_sql(orders: str) -> None:
    evil = "'; DROP TABLE orders; -- %s %(x)s :x $1"
    result = query(
        orders,
        "SELECT :text AS text, :text::text = 'a' AS same, count(*) AS found, 7 % 4 AS rest FROM orders "
        "WHERE id = ANY(:ids) AND id < :below AND name <> :text /* :no */ -- :no\n AND ':no' = $$:no$$",
        parameters={"text": evil, "ids": [1, 2, 3], "below": 2.5},
    )
    assert result.rows == ({"text": evil, "same": False, "found": 2, "rest": 3},)


def test_an_object_is_bound_as_json(url: str) -> None:
    result = query(
        url, "SELECT :doc::jsonb -> 'a' AS a, :none::text AS none", parameters={"doc": {"a": 1}, "none": None}
    )
    assert result.rows == ({"a": 1, "none": None},)


def test_a_write_is_committed_and_reports_the_changed_rows(orders: str) -> None:
    result = query(orders, "UPDATE orders SET name = :name WHERE id > 1", parameters={"name": "x"}, read_only=False)
    assert (result.changed_rows, result.rows, result.columns) == (2, (), ())
    assert stored(orders) == [(1, "one"), (2, "x"), (3, "x")]
    result = query(orders, "DELETE FROM orders RETURNING id", read_only=False, row_limit=1)
    assert (result.rows, result.truncated, result.changed_rows) == (({"id": 1},), True, 3)
    assert stored(orders) == []


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO orders VALUES (4, 'four'), (5, '')",
        "DELETE FROM orders; DELETE FROM orders",
        "DELETE FROM orders; COMMIT",
        "INSERT INTO orders VALUES (4, 'four') RETURNING id, id",
    ],
)
def test_a_failed_statement_changes_nothing(orders: str, sql: str) -> None:
    before = stored(orders)
    with pytest.raises((SqlStatementFailed, SqlResultInvalid)):
        query(orders, sql, read_only=False)
    assert stored(orders) == before


def test_writing_needs_a_grant(orders: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "shop")
    inputs = SqlQueryInputs(connection="shop", sql="DELETE FROM orders", read_only=False)
    with pytest.raises(SqlRefused, match="shop:write"):
        SqlQuery(OpenContext(orders)).run(inputs)
    assert len(stored(orders)) == 3


def test_endless_rows_are_not_all_fetched(url: str) -> None:
    result = query(
        url,
        "WITH RECURSIVE all_numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM all_numbers) TABLE all_numbers",
        row_limit=3,
    )
    assert (result.rows, result.row_count, result.truncated) == (({"n": 1}, {"n": 2}, {"n": 3}), 3, True)


def test_all_rows_are_returned_and_progress_is_reported(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "shop")
    context = OpenContext(url)
    inputs = SqlQueryInputs(connection="shop", sql="SELECT n FROM generate_series(1, 1000) n", row_limit=1000)
    result = SqlQuery(context).run(inputs)
    assert [row["n"] for row in result.rows] == list(range(1, 1001))
    assert (result.row_count, result.truncated) == (1000, False)
    assert context.reports[0] == (0, "waiting for the database")
    assert context.reports[-1] == (1000, "rows read")


def test_a_result_that_is_too_large_is_refused_early(url: str) -> None:
    with pytest.raises(SqlResultInvalid, match="960 KiB as JSON"):
        query(url, "SELECT repeat('x', 100000) AS text FROM generate_series(1, 1000000)", row_limit=10_000)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_sleep(60)",
        "SELECT set_config('statement_timeout', '0', false) AS a, CASE WHEN n > 250 THEN pg_sleep(60)::text END AS b "
        "FROM generate_series(1, 1000) n",
    ],
)
def test_the_time_limit_ends_the_statement_on_the_server(url: str, sql: str) -> None:
    with pytest.raises(SqlTimeout, match=r"longer than 0\.3 s"):
        query(url, sql, timeout=0.3)
    assert not sleeping(url)


def test_stop_from_a_signal_handler_cancels_the_statement(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "shop")
    action = SqlQuery(OpenContext(url))

    def interrupt() -> None:
        while not sleeping(url):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: action.stop())
    watcher = threading.Thread(target=interrupt)
    watcher.start()
    try:
        with pytest.raises(SqlTimeout, match="stopped"):
            action.run(SqlQueryInputs(connection="shop", sql="SELECT pg_sleep(60)"))
    finally:
        watcher.join()
        signal.signal(signal.SIGUSR1, before)
    assert not sleeping(url)


def sleeping(url: str) -> bool:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep'"
        ).fetchone()
    return row is not None and row[0] > 0


def test_the_message_of_the_database_is_reported(url: str) -> None:
    with pytest.raises(SqlStatementFailed, match='relation "nowhere" does not exist'):
        query(url, "SELECT * FROM nowhere")
    with pytest.raises(SqlStatementFailed, match="a statement must start with SELECT"):
        query(url, "SHOW work_mem")


def test_an_unreachable_server_is_refused_without_its_password(url: str) -> None:
    wrong = url.replace("@", "SECRET@", 1)
    with pytest.raises(SqlRefused, match=r"cannot be opened: .*password authentication failed") as caught:
        query(wrong, "SELECT 1")
    assert "SECRET" not in str(caught.value)


def test_read_only_access_is_enforced_whatever_the_connection_sets(
    orders: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "shop")
    options = {"autocommit": True, "prepare_threshold": None, "row_factory": psycopg.rows.dict_row}
    action = SqlQuery(OpenContext(orders, options))
    assert action.run(SqlQueryInputs(connection="shop", sql="SELECT 1 AS n")).rows == ({"n": 1},)
    with pytest.raises(SqlStatementFailed):
        action.run(SqlQueryInputs(connection="shop", sql="SELECT 1; DELETE FROM orders"))
    monkeypatch.setenv(VARIABLE, "shop:write")
    with pytest.raises(SqlStatementFailed, match="multiple commands"):
        action.run(SqlQueryInputs(connection="shop", sql="DELETE FROM orders; COMMIT", read_only=False))
    assert len(stored(orders)) == 3


def test_psycopg2_is_refused(url: str) -> None:
    psycopg2 = pytest.importorskip("psycopg2")
    connection = psycopg2.connect(url)
    try:
        session = session_for(Database(kind="postgres", connection=connection), read_only=True)
        with pytest.raises(UnsupportedDatabase, match="psycopg 3"):
            session.execute(Statement("SELECT 1"))
    finally:
        connection.close()
