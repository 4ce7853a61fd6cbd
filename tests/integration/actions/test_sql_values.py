"""Every value of PostgreSQL has a documented form in the result of `sql.query`, and none loses anything."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support.sql import query, superuser_url

from coinrequest.actions.sql_query import SqlResultInvalid
from coinrequest.limits import MAX_RESULT_BYTES

# SQL, and the value in the result.
VALUES: dict[str, Any] = {
    "'infinity'::date": "infinity",
    "'-infinity'::timestamp": "-infinity",
    "'infinity'::timestamptz": "infinity",
    "'0044-03-15 BC'::date": "0044-03-15 BC",
    "'12026-01-01'::date": "12026-01-01",
    "'2026-01-02 03:04:05.678901+00'::timestamptz AT TIME ZONE 'UTC'": "2026-01-02T03:04:05.678901",
    "'24:00'::time": "24:00:00",
    "'10:00:00.5+05:30'::timetz": "10:00:00.500000+05:30",
    "'24:00:00+00'::timetz": "24:00:00+00",
    "'1 day 01:00:00'::interval": "P1DT3600S",
    "'1 year 2 mons'::interval": "P1Y2MT0S",
    "'1 mon -3 days 00:00:01.5'::interval": "P1M-3DT1.5S",
    "'-1 mon'::interval": "P-1MT0S",
    "'-1 day'::interval": "-P1DT0S",
    "'178000000 years'::interval": "P178000000YT0S",
    "'NaN'::numeric": "NaN",
    "'-Infinity'::numeric": "-Infinity",
    "'NaN'::float8": "nan",
    "'infinity'::float4": "inf",
    "1e22::float8": 1e22,
    "'-0'::float8": -0.0,
    "(2::numeric ^ 200)::numeric(100, 0)": str(2**200),
    "'1234.5'::money": "$1,234.50",
    "B'101'": "101",
    "'\\xff00'::bytea": "/wA=",
    "ARRAY['\\x00'::bytea, NULL]": ["AA==", None],
    "'{{1,2},{3,4}}'::int[]": [[1, 2], [3, 4]],
    "ARRAY['infinity'::date]": ["infinity"],
    "int4range(1, 5)": "[1, 5)",
    "daterange('2026-01-01', 'infinity')": "[2026-01-01, infinity)",
    "'{[1,3),[5,7)}'::int4multirange": "{[1, 3), [5, 7)}",
    "'192.0.2.0/24'::cidr": "192.0.2.0/24",
    "'192.0.2.1/24'::inet": "192.0.2.1/24",
    "'08:00:2b:01:02:03'::macaddr": "08:00:2b:01:02:03",
    "'ok'::mood": "ok",
    "ROW(1, 'Dublin, \"D1\"')::place": '(1,"Dublin, ""D1""")',
    "ROW(1, 'x')": ["1", "x"],
    "'(1,2)'::point": "(1,2)",
    "'a b'::tsvector": "'a' 'b'",
    '\'{"zebra": 12345678901234567890123, "aa": 1e22, "b": 0.5}\'::json': {
        "zebra": 12345678901234567890123,
        "aa": 1e22,
        "b": 0.5,
    },
    "'[1e400, 0.1234567890123456789, 3.0]'::json": ["1" + "0" * 400, "0.1234567890123456789", 3.0],
    "'1e22'::jsonb": 10**22,
    "('1' || repeat('0', 5000))::jsonb": "1" + "0" * 5000,
    '\'{"a\\u0000": "\\ud83d"}\'::json': {"a\0": "\ud83d"},
    "'null'::jsonb": None,
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with superuser_url() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TYPE mood AS ENUM ('ok'); CREATE TYPE place AS (id int, city text)")
            connection.execute("CREATE TABLE done (id int)")
        yield url


@pytest.mark.parametrize(("sql", "expected"), VALUES.items(), ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("read_only", [True, False], ids=["reading", "writing"])
def test_a_value(url: str, sql: str, expected: Any, *, read_only: bool) -> None:
    (row,) = query(url, f"SELECT {sql} AS value", read_only=read_only).rows
    assert json.dumps(row) == json.dumps({"value": expected})


def test_the_size_of_rows_is_counted_in_utf_8(url: str) -> None:
    result = query(url, "SELECT repeat('я', 400000) AS text")
    assert len(result.rows[0]["text"]) == 400_000


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("(repeat('[', 250) || repeat(']', 250))::json", "nested deeper than 200 levels"),
        ("repeat('я', 600000)", "exceed 960 KiB"),
    ],
)
def test_what_cannot_be_stored_is_refused_before_the_commit(url: str, value: str, why: str) -> None:
    with pytest.raises(SqlResultInvalid, match=why):
        query(url, f"INSERT INTO done VALUES (1) RETURNING {value} AS value", read_only=False)  # noqa: S608 - of constants alone
    assert query(url, "SELECT id FROM done").rows == ()


@pytest.mark.parametrize("filler", [0, 10_000, 20_000, 40_000, 60_000, 80_000])
def test_rows_with_many_long_names_fit_or_are_refused(url: str, filler: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        columns = ", ".join(f"{'c' * 50}{number:04} int" for number in range(1_500))
        connection.execute(f"DROP TABLE IF EXISTS wide; CREATE TABLE wide ({columns}, text text)")
        connection.execute("INSERT INTO wide (text) SELECT repeat('x', %s / 8) FROM generate_series(1, 8)", (filler,))
    try:
        result = query(url, "SELECT * FROM wide")
    except SqlResultInvalid:
        assert filler > 60_000
    else:
        assert len(json.dumps(result.model_dump(mode="json"))) < MAX_RESULT_BYTES
