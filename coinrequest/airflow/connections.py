"""Airflow's connections, read on an agent: through the supervisor, one at a time (Airflow 3.3.2).

A task process has no access to the metadata database. It asks its supervisor for a connection, and the supervisor asks
the API server. From then on, the secrets of the connection are masked in everything that the task logs.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from coinrequest.actions.context import Connection, ConnectionUnavailable, Database

log = logging.getLogger(__name__)

# Airflow's own rule for ids, without slashes: the id becomes a part of a URL's path.
_NAME = re.compile(r"[\w#!():.-]{1,250}")


def read_connection(name: str) -> Connection:
    """Return a connection; its password and the sensitive fields of its options are masked in logs.

    Args:
        name: its id.

    Raises:
        ConnectionUnavailable: there is no such connection, or the API server refuses it.
    """
    stored = _stored(name)
    return Connection(
        name=name,
        kind=stored.conn_type or "",
        host=stored.host or "",
        port=stored.port,
        login=stored.login or "",
        password=stored.password or "",
        database=stored.schema or "",
        options=stored.extra_dejson,
    )


@contextlib.contextmanager
def open_database(name: str) -> Iterator[Database]:
    """Open the database of a connection with the hook of Airflow's provider; roll back and close it at the end.

    Args:
        name: the connection's id.

    Raises:
        ConnectionUnavailable: there is no such connection, it is no database, its provider or driver is not
            installed, or the server refuses it.
    """
    stored = _stored(name)
    opened = _open(name, stored)
    try:
        yield Database(kind=stored.conn_type, connection=opened)
    finally:
        # An error here must not hide one above; a server that is gone has rolled everything back.
        for end, method in (("roll back", "rollback"), ("close", "close")):
            try:
                getattr(opened, method)()
            except Exception as error:
                log.warning("Cannot %s the database %s: %s", end, name, error)


def without_secrets(text: str) -> str:
    """Return a text in which every secret that this process has read is replaced by three asterisks."""
    from airflow.sdk._shared.secrets_masker import redact

    return str(redact(text))


def _stored(name: str) -> Any:
    from airflow.sdk import Connection as AirflowConnection
    from airflow.sdk.exceptions import AirflowException
    from airflow.sdk.log import mask_secret

    absent = f"there is no connection {name[:250]!r}; an administrator adds it in Airflow under Admin, Connections"
    if not _NAME.fullmatch(name):
        raise ConnectionUnavailable(absent)
    try:
        stored: Any = AirflowConnection.get(name)
    except AirflowException as error:
        raise ConnectionUnavailable(absent) from error
    except PermissionError as error:
        raise ConnectionUnavailable(f"connection {name!r} is not for this task") from error
    if stored.password:
        # Its form in a URL.
        mask_secret(quote(stored.password, safe=""))
    return stored


def _open(name: str, stored: Any) -> Any:
    from airflow.sdk.exceptions import AirflowException

    kind = stored.conn_type
    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook

        hook = stored.get_hook()
    except (AirflowException, ImportError) as error:
        raise ConnectionUnavailable(
            f"connection {name!r} is of kind {kind!r}, for which this agent has no provider: {error}"
        ) from error
    if not isinstance(hook, DbApiHook):
        raise ConnectionUnavailable(f"connection {name!r} is of kind {kind!r}, which is no database")
    try:
        return hook.get_conn()
    except ImportError as error:
        raise ConnectionUnavailable(f"the driver for connection {name!r} is not installed: {error}") from error
    except Exception as error:
        raise ConnectionUnavailable(f"connection {name!r} cannot be opened: {without_secrets(str(error))}") from error
