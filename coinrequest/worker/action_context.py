"""What an action may use while it runs as a task of Airflow."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

from coinrequest.actions.context import ActionContext, Connection, Database
from coinrequest.airflow.task_reports import PROGRESS, progress_entry

_logger = logging.getLogger(__name__)

# How often a report is stored at most; whoever follows the job looks no more often.
SECONDS_BETWEEN_REPORTS = 1.0


class AirflowContext(ActionContext):
    """The context of an action on an agent; as a context manager it stores the last report at the end.

    Args:
        instance: the task that runs, as Airflow's task context has it (`ti`).
    """

    def __init__(self, instance: Any) -> None:
        def store(entry: Mapping[str, Any]) -> None:
            from coinrequest.airflow.connections import without_secrets

            instance.xcom_push(key=PROGRESS, value={**entry, "message": without_secrets(entry["message"])})

        self.job = instance.run_id
        self._reports = LatestWriter(store, SECONDS_BETWEEN_REPORTS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reports.close()

    def connection(self, name: str) -> Connection:
        """Return an Airflow connection, as `ActionContext.connection` says."""
        from coinrequest.airflow.connections import read_connection

        return read_connection(name)

    def open_database(self, name: str) -> AbstractContextManager[Database]:
        """Open the database of an Airflow connection, as `ActionContext.open_database` says."""
        from coinrequest.airflow.connections import open_database

        return open_database(name)

    def report(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the work is, as `ActionContext.report` says; it does not wait until the report is stored."""
        with contextlib.suppress(Exception):
            self._reports.put(progress_entry(done, total, message))


class LatestWriter:
    """Writes the newest of many entries, at most once in so many seconds, from a thread of its own.

    So whoever reports waits for nothing, and the last report is stored even if the next one never comes.

    Args:
        write: stores an entry; what it raises is logged, and the next entry is tried again.
        interval: seconds between two writes.
    """

    def __init__(self, write: Callable[[Mapping[str, Any]], None], interval: float) -> None:
        self._write = write
        self._interval = interval
        self._changed = threading.Condition()
        self._newest: Mapping[str, Any] | None = None
        self._closing = False
        self._thread: threading.Thread | None = None

    def put(self, entry: Mapping[str, Any]) -> None:
        """Take an entry, in place of one that is not written yet."""
        with self._changed:
            self._newest = entry
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Write what is left, at once."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._newest is not None)
                entry, self._newest = self._newest, None
            if entry is None:
                return
            # Counted from the beginning of a write, so that one who reports each second is never late.
            again = time.monotonic() + self._interval
            try:
                self._write(entry)
            except Exception as error:
                _logger.warning("The progress of this task cannot be stored now: %s", error)
            with self._changed:
                self._changed.wait_for(lambda: self._closing, max(0.0, again - time.monotonic()))
