"""Create the database `airflow`, its owner, and the role under which agents read job definitions.

For a server whose first user is not a superuser, as on RDS; in containers docker/create-roles.sh does the same. Run
again, it only sets the passwords, so it also changes them. The connection comes from libpq's variables (`PGHOST`,
`PGUSER`, `PGPASSWORD`, ...), the passwords from `COINREQUEST_OWNER_PASSWORD` and `COINREQUEST_READER_PASSWORD`.
"""

import os
import sys
from pathlib import Path

import psycopg
from psycopg import sql

DATABASE = "airflow"
OWNER = "airflow"
READER = "coinrequest_reader"

# Several instances start at the same time. Any number that nothing else on the server locks will do.
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
        # The server gets, and may log, the SCRAM verifier instead of the password.
        verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        statement = (
            "ALTER ROLE {} LOGIN PASSWORD {}" if _exists(connection, role) else "CREATE ROLE {} LOGIN PASSWORD {}"
        )
        connection.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(verifier)))
    # To give a database to a role, one has to be its member. Since PostgreSQL 16 the creator of a role may manage it
    # but is not its member: https://www.postgresql.org/docs/16/role-attributes.html
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(OWNER)))
    statement = (
        "ALTER DATABASE {} OWNER TO {}" if _has_database(connection) else "CREATE DATABASE {} OWNER {} ENCODING 'UTF8'"
    )
    connection.execute(sql.SQL(statement).format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))


def grant_rights(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Give the reader its rights, and revoke the default rights that nothing needs.

    Args:
        connection: to this database, as a member of its owner.

    Raises:
        psycopg.Error: the server refused something.
    """
    connection.execute((Path(__file__).parent / "database-rights.psql").read_bytes())


def _exists(connection: "psycopg.Connection[tuple[object, ...]]", role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None


def _has_database(connection: "psycopg.Connection[tuple[object, ...]]") -> bool:
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is not None


def main() -> int:
    """Run it with the settings in the environment; return the exit code."""
    # Every server has this database.
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
