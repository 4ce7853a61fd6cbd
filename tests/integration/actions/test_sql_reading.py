"""Nothing that `sql.query` may only read can be changed: every attack is tried on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support.sql import query, superuser_url

from coinrequest.actions.base import ActionFailed

# Executed by a superuser. Each must fail, or change nothing that is still there afterwards.
ATTACKS = {
    "insert": "INSERT INTO orders VALUES (9, 'x')",
    "update": "UPDATE orders SET name = 'x'",
    "delete": "DELETE FROM orders",
    "truncate": "TRUNCATE orders",
    "merge": "MERGE INTO orders o USING (SELECT 1) s ON false WHEN NOT MATCHED THEN INSERT VALUES (9, 'x')",
    "drop": "DROP TABLE orders",
    "second statement": "SELECT 1; DROP TABLE orders",
    "second statement after a comment": "SELECT 1 -- harmless\n; DROP TABLE orders",
    "commit first": "SELECT 1; COMMIT; DELETE FROM orders",
    "only commit and delete": "COMMIT; DELETE FROM orders",
    "rollback and begin": "ROLLBACK; BEGIN READ WRITE; DELETE FROM orders; COMMIT",
    "commit alone": "COMMIT",
    "commit and chain": "COMMIT AND CHAIN",
    "prepare transaction": "PREPARE TRANSACTION 'left'",
    "set transaction": "SET TRANSACTION READ WRITE",
    "set transaction and delete": "SET TRANSACTION READ WRITE; DELETE FROM orders",
    "set session": "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "set_config": "SELECT set_config('transaction_read_only', 'off', false), change()",
    "set_config and a function": "SELECT set_config('transaction_read_only', 'off', true), nextval('numbers')",
    "default_transaction_read_only": "SELECT set_config('default_transaction_read_only', 'off', false), change()",
    "writable WITH": "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
    "nested writable WITH": "SELECT * FROM (WITH new AS (INSERT INTO orders VALUES (9, 'x') RETURNING *) TABLE new) q",
    "function that writes": "SELECT change()",
    "function that drops": "SELECT change_more()",
    "function that makes the transaction writable": "SELECT free()",
    "function in VALUES": "VALUES (change())",
    "do": "DO $$ BEGIN DELETE FROM orders; END $$",
    "do with commit": "DO $$ BEGIN COMMIT; SET TRANSACTION READ WRITE; DELETE FROM orders; COMMIT; END $$",
    "do in a new transaction": "DO $$ BEGIN ROLLBACK; DELETE FROM orders; COMMIT; END $$",
    "call": "CALL change_and_commit()",
    "copy to a program": "COPY orders TO PROGRAM 'cat > {file}'",
    "copy to a file": "COPY orders TO '{file}'",
    "copy from a program": "COPY orders FROM PROGRAM 'echo 9,x' (FORMAT csv)",
    "copy to the client": "COPY orders TO STDOUT",
    "copy from the client": "COPY orders FROM STDIN",
    "nextval": "SELECT nextval('numbers')",
    "setval": "SELECT setval('numbers', 100)",
    "select into": "SELECT * INTO copied FROM orders",
    "create table as": "CREATE TABLE copied AS TABLE orders",
    "create temporary table": "CREATE TEMPORARY TABLE copied AS TABLE orders",
    "lock": "LOCK TABLE orders IN ACCESS EXCLUSIVE MODE",
    "select for update": "SELECT * FROM orders FOR UPDATE",
    "select for share": "SELECT * FROM orders FOR SHARE",
    "prepare": "PREPARE gone AS DELETE FROM orders",
    "execute": "PREPARE gone AS DELETE FROM orders; EXECUTE gone",
    "notify": "NOTIFY alarms, 'x'",
    "pg_notify": "SELECT pg_notify('alarms', 'x')",
    "listen": "LISTEN alarms",
    "explain analyze": "EXPLAIN ANALYZE DELETE FROM orders",
    "declare with hold": "DECLARE held CURSOR WITH HOLD FOR SELECT change()",
    "grant": "GRANT ALL ON orders TO PUBLIC",
    "alter system": "ALTER SYSTEM SET work_mem = '8MB'",
    "alter role": "ALTER ROLE postgres SET default_transaction_read_only = off",
    "security definer": "SELECT change_as_owner()",
    "large object": "SELECT lo_from_bytea(0, 'x')",
    "large object by import": "SELECT lo_create(4711)",
    "refresh": "REFRESH MATERIALIZED VIEW summary",
    "vacuum": "VACUUM orders",
    "comment": "COMMENT ON TABLE orders IS 'x'",
    "savepoint": "SAVEPOINT a",
    "temporary statement in a comment": "SELECT 1 /* ; */ ; DELETE FROM orders /* */",
    "a parameter's value": "SELECT :value",
    "query in a string": "SELECT query_to_xml('DELETE FROM orders RETURNING *', true, true, '')",
    "cursor of xml": "SELECT database_to_xml(true, true, ''), query_to_xml('SELECT change()', true, true, '')",
}
SETUP = """
CREATE TABLE orders (id int PRIMARY KEY, name text);
INSERT INTO orders VALUES (1, 'one'), (2, 'two');
CREATE SEQUENCE numbers;
CREATE MATERIALIZED VIEW summary AS SELECT now();
CREATE FUNCTION change() RETURNS int LANGUAGE sql AS $$ DELETE FROM orders; SELECT 1 $$;
CREATE FUNCTION change_as_owner() RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ DELETE FROM orders; SELECT 1 $$;
CREATE FUNCTION change_more() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DROP TABLE orders'; RETURN 1; END $$;
CREATE FUNCTION free() RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM orders; RETURN 1; END $$;
CREATE PROCEDURE change_and_commit() LANGUAGE plpgsql AS
    $$ BEGIN COMMIT; SET TRANSACTION READ WRITE; DELETE FROM orders; COMMIT; END $$;
"""
# Everything that an attack could leave behind.
STATE = """
SELECT (SELECT json_agg(o ORDER BY id) FROM orders o)::text,
       (SELECT json_agg((c.relname, c.relacl::text, obj_description(c.oid)) ORDER BY c.relname)
        FROM pg_class c WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_toast'))::text,
       (SELECT array[last_value, is_called::int] FROM numbers), (SELECT now::text FROM summary),
       (SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_db_role_setting),
       (SELECT count(*) FROM pg_prepared_xacts), (SELECT setting FROM pg_settings WHERE name = 'work_mem')
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with superuser_url() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SETUP)
        yield url


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_read_only_statement_changes_nothing(shop: str, attack: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    file = tmp_path / "written"
    sql = ATTACKS[attack].replace("{file}", str(file))
    parameters = {"value": "'); DELETE FROM orders; --"} if ":value" in sql else {}
    with psycopg.connect(shop, autocommit=True) as observer:
        observer.execute("LISTEN alarms")
        before = observer.execute(STATE).fetchone()
        outcome = "refused"
        try:
            query(shop, sql, parameters=parameters)
            outcome = "without effect"
        except ActionFailed:
            pass
        assert observer.execute(STATE).fetchone() == before
        assert list(observer.notifies(timeout=0)) == []
        assert observer.execute("SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass").fetchone() == (0,)
    assert not file.exists()
    # A notification is rolled back; a value stays a value. All others do not even begin.
    assert outcome == ("without effect" if attack in ("pg_notify", "a parameter's value") else "refused")


def test_the_attacks_would_work_without_the_protection(shop: str) -> None:
    """What the attacks are worth: the same statements, written by somebody who may write, do change the table."""
    with psycopg.connect(shop) as connection:
        for name in ("second statement", "commit first", "function that writes", "writable WITH", "do"):
            connection.execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept AS TABLE orders")
            cursor = psycopg.ClientCursor(connection)
            cursor.execute(ATTACKS[name].replace("COMMIT;", ""))
            changed = connection.execute(
                "SELECT to_regclass('orders') IS NULL OR (SELECT count(*) FROM pg_stat_xact_user_tables "
                "WHERE relname = 'orders' AND n_tup_del > 0) > 0"
            ).fetchone()
            assert changed == (True,), name
            connection.rollback()
