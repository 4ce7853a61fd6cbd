"""Records why a task failed where its log cannot: the disk is full, or the task fails before its action runs.

Airflow's supervisor writes the log of a task. If it cannot, it exits, and the task with it, without a reason. Here, a
log that can be opened but not written loses lines, and the reason is stored where the job shows it. An error in the
task's own process before the operator runs is stored there too (Airflow 3.3.2; `tests/security/test_full_disk.py`
fails when the functions that are replaced here change).

`[celery] extra_celery_config` names this module in Celery's `imports`.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import structlog
from airflow.sdk.execution_time import supervisor, task_runner

from coinrequest.airflow.task_reports import FAILURE, failure_entry
from coinrequest.airflow.workload import Workload
from coinrequest.errors import CoinrequestError
from coinrequest.worker.failure import reason
from coinrequest.worker.unbuilt_types import problem_of

log = logging.getLogger(__name__)


class LogUnwritable(CoinrequestError):
    """The log of a task cannot be opened; the task has not started."""


class LossyFile:
    """A binary file that drops what it cannot write, and reports the first error.

    Args:
        file: the real file.
        on_error: called with the first error.
    """

    def __init__(self, file: Any, on_error: Callable[[OSError], None]) -> None:
        self._file = file
        self._on_error: Callable[[OSError], None] | None = on_error

    def write(self, data: bytes) -> None:
        """Write, or drop the data."""
        self._try(self._file.write, data)

    def flush(self) -> None:
        """Flush, or drop the data."""
        self._try(self._file.flush)

    def close(self) -> None:
        """Close the file, even if its last data cannot be written."""
        self._try(self._file.close)

    def __getattr__(self, name: str) -> Any:
        # The upload of a log to S3, when the task ends, uses the file's name and descriptor.
        return getattr(self._file, name)

    def _try(self, do: Callable[..., Any], *data: bytes) -> None:
        try:
            do(*data)
        except OSError as error:
            on_error, self._on_error = self._on_error, None
            if on_error is not None:
                on_error(error)


# The task that this process supervises: each process of an agent has one at a time.
_task: Workload | None = None


def set_supervised(task: Workload | None) -> None:
    """Set the task that this process supervises."""
    global _task
    _task = task


def open_lossy(open_log: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the supervisor's function that opens a log, so that a log that cannot be written ends no task."""

    def opened(log_path: str, client: Any) -> Any:
        try:
            logger, file = open_log(log_path, client)
        except OSError as error:
            raise LogUnwritable(f"the agent cannot open the task's log: {error.strerror}") from error
        lossy = LossyFile(file, lambda error: _record_in_background(client, _task, error))
        logger._logger = structlog.BytesLogger(lossy)  # type: ignore[arg-type]
        return logger, lossy

    return opened


def _record_in_background(client: Any, task: Workload | None, error: OSError) -> None:
    text = f"the agent could not write its log: {error.strerror}"
    log.error("%s", text)
    if task is None:
        return

    def record() -> None:
        place = (task.dag_id, task.run_id, task.task_id, FAILURE)
        with contextlib.suppress(Exception):
            # The reason that the task itself stores is better, and is kept.
            if client.xcoms.get(*place, task.map_index).value is None:
                client.xcoms.set(*place, failure_entry(text, task.attempt), task.map_index)

    # Meanwhile the supervisor has to send its heartbeat.
    threading.Thread(target=record, name="failure", daemon=True).start()


def record_parse_failure(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the function with which a task builds its DAG, so that the job shows why that failed."""

    def recorded(what: Any, logger: Any) -> Any:
        try:
            return parse(what, logger)
        except (Exception, SystemExit) as error:
            if type(error).__name__ != "AirflowRescheduleException":
                with contextlib.suppress(Exception):
                    _record(what.ti, _text_of(what.ti, error))
            raise

    return recorded


def _text_of(ti: Any, error: BaseException) -> str:
    if not isinstance(error, SystemExit):
        return f"it could not start: {reason(error)}"
    # Airflow has not found the task among the DAGs that it has built here.
    host = socket.gethostname()
    problem = problem_of(ti.dag_id)
    if problem is not None:
        return f"the agent on {host!r} cannot build the job type: {problem}"
    return f"the agent on {host!r} finds no task {ti.task_id!r} in its version of {ti.dag_id!r}"


def _record(ti: Any, text: str) -> None:
    from airflow.sdk.execution_time.comms import SetXCom

    key = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}
    task_runner.SUPERVISOR_COMMS.send(SetXCom(key=FAILURE, value=failure_entry(text, ti.try_number), **key))


supervisor._configure_logging = open_lossy(supervisor._configure_logging)
task_runner.parse = record_parse_failure(task_runner.parse)
