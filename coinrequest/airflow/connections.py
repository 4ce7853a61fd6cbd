"""Airflow's connections, as an agent may read them: through its supervisor, one at a time (Airflow 3.3.2).

A task process has no access to the metadata database. It asks its supervisor for a connection, which asks the API
server; each secret that comes back is masked in everything that the task logs from then on.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from coinrequest.actions.context import Connection, ConnectionUnavailable, Database

_logger = logging.getLogger(__name__)

# As Airflow's own rule for ids, without slashes: the id becomes a part of the path under which it is asked for.
_NAME = re.compile(r"[\w#!():.-]{1,250}")


def read_connection(name: str) -> Connection:
    """Return a connection; its password and the sensitive fields of its options are masked in logs.

    Args:
        name: its id.

    Raises:
        ConnectionUnavailable: there is none of this name, or the API server does not hand it out.
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
    """Open the database of a connection; roll back what was not committed and close it at the end.

    The hook that Airflow's provider for this kind of database brings does the work.

    Args:
        name: the connection's id.

    Raises:
        ConnectionUnavailable: there is none of this name, it is no database's, its provider or driver is not
            installed, or the server does not let us in.
    """
    stored = _stored(name)
    opened = _open(name, stored)
    try:
        yield Database(kind=stored.conn_type, connection=opened)
    finally:
        # What fails here must not hide what failed above; a server that is gone has undone everything.
        for end in ("rollback", "close"):
            try:
                getattr(opened, end)()
            except Exception as error:
                _logger.warning("%s of the database %s failed: %s", end, name, error)


def without_secrets(text: str) -> str:
    """Return a text with three asterisks for every secret that this process has read."""
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
        # As it looks within a URL.
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
            f"connection {name!r} is of kind {kind!r}, for which no provider is installed on this agent: {error}"
        ) from error
    if not isinstance(hook, DbApiHook):
        raise ConnectionUnavailable(f"connection {name!r} is of kind {kind!r}, which is no database")
    try:
        return hook.get_conn()
    except ImportError as error:
        raise ConnectionUnavailable(f"the driver for connection {name!r} is not installed: {error}") from error
    except Exception as error:
        raise ConnectionUnavailable(f"connection {name!r} cannot be opened: {without_secrets(str(error))}") from error
