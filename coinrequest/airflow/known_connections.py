"""Which connections this process finds: in the environment, in secrets backends and in the database (Airflow 3.3.2).

Agents ask their own environment and backends, and then the web server, which looks as this does. No secret leaves this
module.
"""

import logging
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass

log = logging.getLogger(__name__)

# Backends may be slow; so many threads may wait for them, and no more.
_THREADS = threading.BoundedSemaphore(4)


@dataclass(frozen=True)
class Known:
    """What is known of a connection.

    Attributes:
        kind: its type, such as `http`; None if there is no such connection.
        has_password: whether it has a password.
    """

    kind: str | None
    has_password: bool = False


def find(names: Collection[str], timeout: float) -> Mapping[str, Known]:
    """Look connections up; those that could not be looked up, or not in time, are left out.

    Args:
        names: their ids.
        timeout: seconds to wait.
    """
    found: dict[str, Known] = {}
    if not names or not _THREADS.acquire(blocking=False):
        return found

    def look() -> None:
        try:
            for name in names:
                if (known := _find(name)) is not None:
                    found[name] = known
        finally:
            _THREADS.release()

    # A daemon, so that a backend that hangs does not keep the process from ending.
    thread = threading.Thread(target=look, name="connections", daemon=True)
    thread.start()
    thread.join(timeout)
    return dict(found)


def _find(name: str) -> Known | None:
    """Return what is known of a connection; None if a backend fails, so that nothing is known."""
    from airflow.configuration import ensure_secrets_loaded

    certain = True
    for backend in ensure_secrets_loaded():
        try:
            stored = backend.get_connection(conn_id=name)
            if stored is not None:
                # A password that was encrypted with another key cannot be read.
                return Known(stored.conn_type or "", bool((stored.password or "").strip()))
        except Exception as error:
            log.info("The secrets backend %s failed: %s", type(backend).__name__, type(error).__name__)
            certain = False
    return Known(None) if certain else None
