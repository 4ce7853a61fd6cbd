"""Sessions of the metadata database, for processes that Airflow lets have them (Airflow 3.3.2)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy.orm import Session

Sessions = Callable[[], AbstractContextManager[Session]]


def airflow_session() -> AbstractContextManager[Session]:
    """Return a session of its own transaction: committed at the end, rolled back at any error."""
    from airflow.utils.session import create_session

    return create_session(scoped=False)


# In a session's `info` while it stores runs whose params were checked.
_CHECKED = "coinrequest: params are checked"


@contextmanager
def params_checked(session: Session) -> Iterator[None]:
    """Tell whoever watches over new runs that the params of those that the block stores are checked."""
    session.info[_CHECKED] = True
    try:
        yield
    finally:
        del session.info[_CHECKED]


def are_params_checked(session: Session | None) -> bool:
    """Return whether the session is inside `params_checked`."""
    return session is not None and _CHECKED in session.info
