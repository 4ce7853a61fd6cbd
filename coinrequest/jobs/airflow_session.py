"""Sessions of the metadata database, for processes that Airflow lets have them (Airflow 3.3.2)."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy.orm import Session

Sessions = Callable[[], AbstractContextManager[Session]]


def airflow_session() -> AbstractContextManager[Session]:
    """Return a session of its own transaction: committed at the end, rolled back at any error."""
    from airflow.utils.session import create_session

    return create_session(scoped=False)
