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
from coinrequest.airflow.task_results import result_text

log = logging.getLogger(__name__)

# Seconds between two stored reports; those who follow the job poll no more often.
SECONDS_BETWEEN_REPORTS = 1.0


class AirflowContext(ActionContext):
    """The context of an action on an agent; as a context manager, it stores the last report when it exits.

    Args:
        instance: the task that runs, as Airflow's task context has it (`ti`).
    """

    def __init__(self, instance: Any) -> None:
        def store(entry: Mapping[str, Any]) -> None:
            from coinrequest.airflow.connections import without_secrets

            shown = {**entry, "message": without_secrets(entry["message"])}
            instance.xcom_push(key=PROGRESS, value=result_text(shown))

        self.job = instance.run_id
        self._reports = LatestWriter(store, SECONDS_BETWEEN_REPORTS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reports.close()

    def connection(self, name: str) -> Connection:
        """Return an Airflow connection; see `ActionContext.connection`."""
        from coinrequest.airflow.connections import read_connection

        return read_connection(name)

    def open_database(self, name: str) -> AbstractContextManager[Database]:
        """Open the database of an Airflow connection; see `ActionContext.open_database`."""
        from coinrequest.airflow.connections import open_database

        return open_database(name)

    def report(self, done: float, total: float | None = None, message: str = "") -> None:
        """Report progress without waiting until it is stored; see `ActionContext.report`."""
        with contextlib.suppress(Exception):
            self._reports.put(progress_entry(done, total, message))


class LatestWriter:
    """Writes the newest of many entries in a background thread, with a pause between two writes.

    Reporting never blocks, and the last report is stored even if no other follows.

    Args:
        write: stores an entry; an error is logged, and the next entry is written all the same.
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
        """Replace the entry that waits to be written."""
        with self._changed:
            self._newest = entry
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Write the entry that waits, without the pause."""
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
            # Counted from the start of the write, so that a report each second is never late.
            again = time.monotonic() + self._interval
            try:
                self._write(entry)
            except Exception as error:
                log.warning("Cannot store the progress of this task: %s", error)
            with self._changed:
                self._changed.wait_for(lambda: self._closing, max(0.0, again - time.monotonic()))
