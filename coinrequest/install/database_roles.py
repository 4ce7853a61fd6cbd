"""Creates the metadata database, its owner, and the role that agents use, which can only read job types.

The embedded stack and managed servers (docker/create_database_roles.py) use it. The image of PostgreSQL has no Python,
so docker/create-roles.sh creates the same roles there. All three run docker/database-rights.psql.
"""

from pathlib import Path

import psycopg
from psycopg import sql

from coinrequest.install.process_secrets import DATABASE, OWNER, READER

# Several instances may start at the same time. Any number that nothing else on the server locks will do.
_LOCK = 7_302_615

_Connection = psycopg.Connection[tuple[object, ...]]


def ensure_database(server: str, *, owner_password: str, reader_password: str, rights: Path) -> None:
    """Create the database and its roles if they are missing, and set the passwords and rights.

    Args:
        server: the connection string of a user with CREATEROLE and CREATEDB; libpq's variables (`PGHOST`, ...) supply
            what it leaves out.
        owner_password: the password of the role `airflow`.
        reader_password: the password of the role `coinrequest_reader`.
        rights: the file docker/database-rights.psql.

    Raises:
        psycopg.Error: the server cannot be reached, or refused a statement.
    """
    # Every server has the database `postgres`.
    with psycopg.connect(server, dbname="postgres", autocommit=True, connect_timeout=10) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        for role, password in ((OWNER, owner_password), (READER, reader_password)):
            _ensure_role(connection, role, password)
        _ensure_database(connection)
        with psycopg.connect(server, dbname=DATABASE, autocommit=True, connect_timeout=10) as inside:
            inside.execute(rights.read_bytes())


def _ensure_role(connection: _Connection, role: str, password: str) -> None:
    # The server gets, and may log, the SCRAM verifier instead of the password.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    exists = _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role)
    statement = "ALTER ROLE {} LOGIN PASSWORD {}" if exists else "CREATE ROLE {} LOGIN PASSWORD {}"
    connection.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(verifier)))


def _ensure_database(connection: _Connection) -> None:
    # Only a member of a role can give it a database. Since PostgreSQL 16, the creator of a role may manage it but is
    # not a member: https://www.postgresql.org/docs/16/role-attributes.html
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(OWNER)))
    exists = _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", DATABASE)
    statement = "ALTER DATABASE {} OWNER TO {}" if exists else "CREATE DATABASE {} OWNER {} ENCODING 'UTF8'"
    connection.execute(sql.SQL(statement).format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))


def _exists(connection: _Connection, query: str, name: str) -> bool:
    return connection.execute(query, (name,)).fetchone() is not None
