"""Create the database `airflow`, its owner, and the role under which agents read job definitions.

For a server whose first user is no superuser, as on RDS; in containers docker/create-roles.sh does the same. Repeating
it changes nothing but the passwords, so that it is also how they are changed. The connection comes from libpq's own
variables (`PGHOST`, `PGUSER`, `PGPASSWORD`, ...), the passwords from `COINREQUEST_OWNER_PASSWORD` and
`COINREQUEST_READER_PASSWORD`.
"""

import os
import sys
from pathlib import Path

import psycopg
from psycopg import sql

DATABASE = "airflow"
OWNER = "airflow"
READER = "coinrequest_reader"

# Any number that nothing else on the server locks: several instances start at the same time.
_LOCK = 7_302_615


def create_database_roles(connection: "psycopg.Connection[tuple[object, ...]]", owner: str, reader: str) -> None:
    """Create what is missing, and set the passwords.

    Args:
        connection: in autocommit mode, to any database of the server, as a user with CREATEROLE and CREATEDB.
        owner: the password of the role `airflow`.
        reader: the password of the role `coinrequest_reader`.

    Raises:
        psycopg.Error: the server refused something.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    for role, password in ((OWNER, owner), (READER, reader)):
        # What the server gets, and may log, is the verifier of SCRAM and not the password.
        verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        statement = (
            "ALTER ROLE {} LOGIN PASSWORD {}" if _exists(connection, role) else "CREATE ROLE {} LOGIN PASSWORD {}"
        )
        connection.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(verifier)))
    # Only who may become a role may give it a database. Since PostgreSQL 16 the right to manage a role, which its
    # creator has, does not include that: https://www.postgresql.org/docs/16/role-attributes.html
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(OWNER)))
    statement = (
        "ALTER DATABASE {} OWNER TO {}" if _has_database(connection) else "CREATE DATABASE {} OWNER {} ENCODING 'UTF8'"
    )
    connection.execute(sql.SQL(statement).format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))


def grant_rights(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Give the reader its rights, and take from everybody what nobody needs.

    Args:
        connection: to the database itself, as a member of its owner.

    Raises:
        psycopg.Error: the server refused something.
    """
    connection.execute((Path(__file__).parent / "database-rights.psql").read_bytes())


def _exists(connection: "psycopg.Connection[tuple[object, ...]]", role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None


def _has_database(connection: "psycopg.Connection[tuple[object, ...]]") -> bool:
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is not None


def main() -> int:
    """Do it with what the environment says; return the exit code."""
    # This database is on every server.
    with psycopg.connect(dbname="postgres", autocommit=True, connect_timeout=10) as connection:
        create_database_roles(
            connection, os.environ["COINREQUEST_OWNER_PASSWORD"], os.environ["COINREQUEST_READER_PASSWORD"]
        )
        with psycopg.connect(dbname=DATABASE, autocommit=True, connect_timeout=10) as inside:
            grant_rights(inside)
    sys.stdout.write("coinrequest: done: create database roles\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
