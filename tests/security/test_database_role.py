"""The role of the agents on a real PostgreSQL: what an agent that is taken over tries with it.

It may read the revisions and the installation's id, and call `coinrequest_clean`. `default_transaction_read_only` is
switched off before each attack: it is a default, and no right.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from support.api_environment import contents
from support.databases import as_superuser, connected, reader_url, superuser_url

from coinrequest.stack.layout import project_root

pytestmark = [pytest.mark.security, pytest.mark.usefixtures("airflow_app")]

READABLE = {"coinrequest_revision", "coinrequest_installation"}
SEARCH_PATH = ["search_path=pg_catalog, public, pg_temp"]
FUNCTIONS = {
    "coinrequest_bound_numbers()": "invoker",
    "coinrequest_bound_params()": "invoker",
    "coinrequest_bound_times()": "invoker",
    "coinrequest_clean(interval,integer)": "definer",
    "coinrequest_follow_run()": "invoker",
    "coinrequest_label_job()": "invoker",
    "coinrequest_note_resumption()": "invoker",
    "coinrequest_record_run(text,text)": "invoker",
    "coinrequest_renew_installation()": "invoker",
    "coinrequest_revision_in_order()": "invoker",
    "coinrequest_revision_is_append_only()": "invoker",
}
TRIGGERS = {
    "coinrequest_bound_backfill_times": "coinrequest_bound_times()",
    "coinrequest_bound_numbers": "coinrequest_bound_numbers()",
    "coinrequest_bound_params": "coinrequest_bound_params()",
    "coinrequest_bound_run_times": "coinrequest_bound_times()",
    "coinrequest_follow_new_run": "coinrequest_follow_run()",
    "coinrequest_follow_run": "coinrequest_follow_run()",
    "coinrequest_label_job": "coinrequest_label_job()",
    "coinrequest_note_resumption": "coinrequest_note_resumption()",
    "coinrequest_revision_append_only": "coinrequest_revision_is_append_only()",
    "coinrequest_revision_in_order": "coinrequest_revision_in_order()",
}

REFUSED = {
    # becoming somebody else
    "set role": "SET ROLE airflow",
    "set session authorization": "SET SESSION AUTHORIZATION airflow",
    "set_config role": "SELECT set_config('role', 'airflow', false)",
    "grant the owner": "GRANT airflow TO coinrequest_reader",
    "superuser": "ALTER ROLE coinrequest_reader SUPERUSER",
    "more connections": "ALTER ROLE coinrequest_reader CONNECTION LIMIT -1",
    "another's password": "ALTER ROLE airflow PASSWORD 'x'",
    "another's settings": "ALTER ROLE airflow SET search_path = pg_temp, public",
    "the database's settings": "ALTER DATABASE airflow SET search_path = pg_temp, public",
    "create role": "CREATE ROLE somebody",
    "create database": "CREATE DATABASE somewhere",
    "alter system": "ALTER SYSTEM SET log_statement = 'none'",
    "no triggers": "SET session_replication_role = replica",
    "temporary files": "SET temp_file_limit = -1",
    "grant on a table": "GRANT ALL ON coinrequest_job TO coinrequest_reader",
    "reassign": "REASSIGN OWNED BY airflow TO coinrequest_reader",
    # things of its own, in the way of others
    "temporary table": "CREATE TEMPORARY TABLE coinrequest_submission_key (expires_at timestamptz)",
    "temporary table by select": "SELECT 1 AS x INTO TEMPORARY connection",
    "temporary view": "CREATE TEMPORARY VIEW dag_run AS SELECT 1 AS x",
    "temporary sequence": "CREATE TEMPORARY SEQUENCE s",
    "temporary function": "CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL'",
    "table": "CREATE TABLE public.mine (x int)",
    "function": "CREATE FUNCTION public.greatest_of(interval, interval) RETURNS interval LANGUAGE sql AS 'SELECT $1'",
    "another now()": "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL'",
    "in pg_catalog": "CREATE FUNCTION pg_catalog.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "operator": "CREATE OPERATOR public.< (LEFTARG = timestamptz, RIGHTARG = text, FUNCTION = texteq)",
    "type": "CREATE TYPE public.mine AS (x int)",
    "schema": "CREATE SCHEMA coinrequest_reader",
    "extension": "CREATE EXTENSION dblink",
    "foreign server": "CREATE FOREIGN DATA WRAPPER w",
    "untrusted language": "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/tmp/x', 'f'",
    "publication": "CREATE PUBLICATION p FOR ALL TABLES",
    "event trigger": "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION public.coinrequest_follow_run()",
    # what there is
    "replace a function": (
        "CREATE OR REPLACE FUNCTION public.coinrequest_clean(keep interval, batch integer) RETURNS bigint"
        " LANGUAGE sql AS 'SELECT 1::bigint'"
    ),
    "alter a function": "ALTER FUNCTION public.coinrequest_clean(interval, integer) SET search_path = pg_temp",
    "drop a function": "DROP FUNCTION public.coinrequest_clean(interval, integer)",
    "trigger": (
        "CREATE TRIGGER t BEFORE INSERT ON coinrequest_revision EXECUTE FUNCTION coinrequest_revision_is_append_only()"
    ),
    "disable a trigger": "ALTER TABLE coinrequest_revision DISABLE TRIGGER ALL",
    "rule": "CREATE RULE r AS ON SELECT TO coinrequest_revision DO INSTEAD SELECT 1",
    "policy": "CREATE POLICY p ON coinrequest_revision USING (true)",
    "append": "INSERT INTO coinrequest_revision (name, change, author, created_at) VALUES ('x', 'delete', 'x', now())",
    "another id": "UPDATE coinrequest_installation SET id = 1",
    "the next number": "SELECT nextval('coinrequest_revision_number_seq')",
    "any number": "SELECT setval('coinrequest_revision_number_seq', 1)",
    "truncate": "TRUNCATE coinrequest_revision",
    "a block": "DO $$ BEGIN EXECUTE 'GRANT ALL ON connection TO coinrequest_reader'; END $$",
    "a password's hash": "SELECT rolpassword FROM pg_authid",
    # locks that others would wait for
    "lock a row": "SELECT 1 FROM coinrequest_installation FOR UPDATE",
    "share a row": "SELECT 1 FROM coinrequest_installation FOR KEY SHARE",
    "lock a table": "DO $$ BEGIN LOCK TABLE coinrequest_revision IN SHARE MODE; END $$",
    "lock another table": "DO $$ BEGIN LOCK TABLE dag_run IN ACCESS SHARE MODE; END $$",
    "the scheduler's lock": "SELECT pg_advisory_lock(2)",
    "the migrations' lock": "SELECT pg_try_advisory_xact_lock(1)",
    "a shared lock": "SELECT pg_advisory_lock_shared(2)",
    "another's session": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'airflow'",
    # the machine
    "program": "COPY coinrequest_revision TO PROGRAM 'cat'",
    "from a program": "COPY coinrequest_revision (name) FROM PROGRAM 'id'",
    "a file": "COPY (SELECT 1) TO '/tmp/coinrequest-attack'",
    "read a file": "SELECT pg_read_file('/etc/passwd')",
    "list a folder": "SELECT pg_ls_dir('.')",
    "the server's log": "SELECT * FROM pg_ls_logdir()",
    "import": "SELECT lo_import('/etc/passwd')",
    "large object": "SELECT lo_create(0)",
    "large object with content": "SELECT lo_from_bytea(0, 'x')",
    "reload": "SELECT pg_reload_conf()",
    "a message in the log of changes": "SELECT pg_logical_emit_message(false, 'x', 'y')",
    "replication slot": "SELECT pg_create_physical_replication_slot('s')",
    "checkpoint": "CHECKPOINT",
    "load": "LOAD '/tmp/x.so'",
}


def attack(statement: str, *before: str) -> None:
    """Run a statement as the role of the agents, in a transaction that may write."""
    with connected(reader_url()) as connection:
        for first in ("SET default_transaction_read_only = off", "SET lock_timeout = '2s'", *before, statement):
            # Without SQLAlchemy's own reading of colons.
            connection.exec_driver_sql(first.replace("%", "%%"))


@pytest.fixture(scope="module", autouse=True)
def nothing_has_changed(airflow_app: Any) -> Iterator[None]:
    """Whatever an attack reports, check afterwards that every table and every right is unchanged."""
    before, rights = contents(), _rights()
    yield
    assert contents() == before
    assert _rights() == rights


def _rights() -> Any:
    return as_superuser(
        "SELECT oid::regclass::text, relacl::text FROM pg_class WHERE relnamespace <> 'pg_toast'::regnamespace"
        " UNION ALL SELECT oid::regprocedure::text, proacl::text || prosrc FROM pg_proc"
        " UNION ALL SELECT rolname, pg_roles::text FROM pg_roles"
        " UNION ALL SELECT datname, datacl::text FROM pg_database"
        # PostgreSQL keeps the empty schema of a session's temporary objects.
        " UNION ALL SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%temp\\_%'"
        " ORDER BY 1, 2",
        database="airflow",
    )


@pytest.mark.parametrize("name", REFUSED)
def test_an_attack_is_refused(name: str) -> None:
    with pytest.raises(DBAPIError, match=r"permission denied|must be|not allowed|cannot|is not available") as refused:
        attack(REFUSED[name])
    assert "read-only transaction" not in str(refused.value)


def test_it_reads_the_allow_list_and_nothing_else() -> None:
    names = [row[0] for row in as_superuser(_RELATIONS, database="airflow")]
    assert {"connection", "variable", "ab_user", "dag_run", "coinrequest_job"} <= set(names)
    assert {name for name in names if _allowed(f'SELECT * FROM "{name}" LIMIT 1')} == READABLE  # noqa: S608


def test_it_writes_to_no_table() -> None:
    for (name,) in as_superuser(_RELATIONS, database="airflow"):
        for statement in ("INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}", "TRUNCATE {} CASCADE"):
            assert not _allowed(statement.format(f'"{name}"')), (statement, name)


def test_the_catalogue_lists_the_same_rights() -> None:
    held = as_superuser(
        "SELECT c.relname, a.privilege_type FROM pg_class AS c, aclexplode(c.relacl) AS a"
        " WHERE c.relnamespace = 'public'::regnamespace AND a.grantee IN (0, 'coinrequest_reader'::regrole)"
        " UNION SELECT c.relname, 'column ' || a.privilege_type FROM pg_class AS c"
        " JOIN pg_attribute AS t ON t.attrelid = c.oid, aclexplode(t.attacl) AS a"
        " WHERE c.relnamespace = 'public'::regnamespace AND a.grantee IN (0, 'coinrequest_reader'::regrole)",
        database="airflow",
    )
    assert {tuple(row) for row in held} == {(name, "SELECT") for name in READABLE}
    assert as_superuser("SELECT count(*) FROM pg_auth_members WHERE member = 'coinrequest_reader'::regrole")[0][0] == 0
    role = as_superuser(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolconnlimit FROM pg_roles"
        " WHERE rolname = 'coinrequest_reader'"
    )
    assert tuple(role[0]) == (False, False, False, False, False, 50)


_RELATIONS = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p')"
)


def _allowed(statement: str) -> bool:
    try:
        attack(statement)
    except ProgrammingError as error:
        if "permission denied" not in str(error):
            raise
        return False
    return True


def test_it_may_call_one_function_of_ours() -> None:
    called = {}
    for (name,) in as_superuser(_FUNCTIONS, database="airflow"):
        arguments = ", ".join(f"NULL::{kind}" for kind in re.findall(r"\w+", name.partition("(")[2]))
        called[name] = _allowed(f"SELECT public.{name.partition('(')[0]}({arguments})")
    assert called == {name: name.startswith("coinrequest_clean(") for name in FUNCTIONS}


_FUNCTIONS = (
    "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace <> 'pg_catalog'::regnamespace"
    " AND pronamespace <> 'information_schema'::regnamespace"
)


def test_every_function_of_the_database_has_its_search_path() -> None:
    found = as_superuser(
        "SELECT oid::regprocedure::text, CASE WHEN prosecdef THEN 'definer' ELSE 'invoker' END, proconfig,"
        " EXISTS (SELECT FROM aclexplode(proacl) AS a WHERE a.grantee = 0) OR proacl IS NULL, prosrc, prokind"
        " FROM pg_proc WHERE pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)",
        database="airflow",
    )
    assert {row[0]: row[1] for row in found} == FUNCTIONS
    for name, _rights_of, settings, for_everybody, source, _kind in found:
        assert settings == SEARCH_PATH, name
        assert not for_everybody, name
        # Every table and function by its schema: what a caller made before stands in no name's way.
        unqualified = re.findall(r"(?<![\w.'])(?:FROM|JOIN|INTO|UPDATE|USING) (?!public\.)([a-z]\w*)", source)
        assert set(unqualified) <= {"now_there", "known", "gone", "given"}, name
        calls = set(re.findall(r"(?<![\w.])([a-z_]+)\(", source))
        assert calls <= {"coalesce", "greatest", "least", "coinrequest_submission_key"}, name


def test_no_other_function_is_a_security_definer() -> None:
    found = as_superuser("SELECT oid::regprocedure::text FROM pg_proc WHERE prosecdef", database="airflow")
    assert [row[0] for row in found] == ["coinrequest_clean(interval,integer)"]


def test_every_trigger_is_known() -> None:
    found = as_superuser(
        "SELECT tgname, tgfoid::regprocedure::text FROM pg_trigger WHERE NOT tgisinternal", database="airflow"
    )
    assert {tuple(row) for row in found} == set(TRIGGERS.items())


# -- the attack that made an agent an administrator -----------------------------------------------------------

TAKEOVER = (
    "CREATE TEMPORARY TABLE coinrequest_submission_key (expires_at timestamptz)",
    "INSERT INTO coinrequest_submission_key VALUES ('2000-01-01')",
    """CREATE FUNCTION pg_temp.take() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN EXECUTE 'GRANT ALL ON ab_user, connection, variable TO coinrequest_reader'; RETURN OLD; END $$""",
    "CREATE TRIGGER take BEFORE DELETE ON coinrequest_submission_key FOR EACH ROW EXECUTE FUNCTION pg_temp.take()",
    "SELECT coinrequest_clean('30 days', 0)",
)


def test_the_takeover_ends_at_its_first_step() -> None:
    with pytest.raises(DBAPIError, match="permission denied to create temporary tables"):
        attack(TAKEOVER[-1], *TAKEOVER[:-1])


def test_temporary_objects_do_not_divert_the_function() -> None:
    as_superuser("GRANT TEMPORARY ON DATABASE airflow TO coinrequest_reader")
    try:
        attack(TAKEOVER[-1], "SET search_path = pg_temp, public", *TAKEOVER[:-1])
    finally:
        as_superuser("REVOKE TEMPORARY ON DATABASE airflow FROM coinrequest_reader")
    assert not _allowed("SELECT password FROM ab_user")


def test_temporary_objects_of_other_sessions_do_not_divert_the_triggers(tables_unchanged: None) -> None:
    """The triggers run in the session that changes a run; this one has temporary tables of the same names."""
    from airflow import settings

    with settings.engine.connect() as connection:
        for statement in _OWN_TABLES:
            connection.execute(text(statement))
        assert connection.execute(text("SELECT public.coinrequest_record_run('x', 'y')")).scalar_one() is False
        connection.rollback()


_OWN_TABLES = (
    "CREATE TEMPORARY TABLE dag AS SELECT 'x' AS dag_id, 'job_types' AS bundle_name",
    "CREATE TEMPORARY TABLE coinrequest_revision AS SELECT 'x' AS name, 1 AS number",
    "CREATE TEMPORARY TABLE coinrequest_job (LIKE public.coinrequest_job INCLUDING DEFAULTS)",
    "CREATE TEMPORARY TABLE dag_run AS SELECT 'x' AS dag_id, 'y' AS run_id, 'running' AS state, now() AS run_after,"
    " now() AS queued_at, now() AS start_date, now() AS end_date, 'manual' AS run_type, 'ui' AS triggered_by,"
    " 'x' AS triggering_user_name, '1' AS bundle_version",
)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_other_databases_are_closed(database: str) -> None:
    address = reader_url().rpartition("/")[0] + f"/{database}"
    with pytest.raises(OperationalError, match="permission denied"), connected(address):
        pass


def test_granting_the_rights_again_resets_its_own_settings() -> None:
    """Every role may change its own defaults and password: that stops agents, but grants no rights."""
    attack(
        "ALTER ROLE coinrequest_reader SET search_path = pg_temp",
        "ALTER ROLE coinrequest_reader IN DATABASE airflow SET statement_timeout = 1",
    )
    with pytest.raises(DBAPIError):
        attack("SELECT 1 FROM coinrequest_revision")
    rights = (project_root() / "docker" / "database-rights.psql").read_text()
    with connected(superuser_url("airflow")) as connection:
        connection.exec_driver_sql(rights.replace("%", "%%"))
    kept = as_superuser(
        "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'coinrequest_reader'::regrole ORDER BY setdatabase"
    )
    assert [sorted(setting.partition("=")[0] for setting in row[0]) for row in kept] == [
        [
            "default_transaction_read_only",
            "idle_in_transaction_session_timeout",
            "lock_timeout",
            "statement_timeout",
            "temp_file_limit",
        ]
    ]
