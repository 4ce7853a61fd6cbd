"""What a task's answer says where its log cannot: the disk is full, or the task fails before its action begins.

Airflow's supervisor writes a task's log; where it cannot, it ends, and the task with it, and nobody learns why. Here a
log that can be opened and not written loses lines, and the reason is left where the job's answer looks for it. In the
task's own process, what fails before the operator runs is left there too (Airflow 3.3.2;
`tests/security/test_full_disk.py` fails when what is replaced here changes).

`[celery] extra_celery_config` names this module in Celery's `imports`.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

import structlog
from airflow.sdk.execution_time import supervisor, task_runner

from coinrequest.airflow.task_reports import FAILURE, failure_entry
from coinrequest.airflow.workload import Workload
from coinrequest.worker.failure import reason

log = logging.getLogger(__name__)


class LogUnwritable(Exception):
    """The log of a task cannot be opened; the task has not begun."""


class LossyFile:
    """A binary file whose errors are told once, and then only lose what was to be written.

    Args:
        file: where it goes.
        failed: called with the first error.
    """

    def __init__(self, file: Any, failed: Callable[[OSError], None]) -> None:
        self._file = file
        self._failed: Callable[[OSError], None] | None = failed

    def write(self, data: bytes) -> None:
        """Write, or lose it."""
        self._try(self._file.write, data)

    def flush(self) -> None:
        """Hand on what was written, or lose it."""
        self._try(self._file.flush)

    def close(self) -> None:
        """Close the file, whatever becomes of what was written last."""
        self._try(self._file.close)

    def __getattr__(self, name: str) -> Any:
        # A log that goes to S3 when the task ends is found by the file's name and descriptor.
        return getattr(self._file, name)

    def _try(self, do: Callable[..., Any], *data: bytes) -> None:
        try:
            do(*data)
        except OSError as error:
            failed, self._failed = self._failed, None
            if failed is not None:
                failed(error)


# The task that this process supervises: an agent's process has one at a time.
_task: Workload | None = None


def supervising(task: Workload | None) -> None:
    """Note the task that this process begins to supervise."""
    global _task
    _task = task


def open_lossy(open_log: Callable[..., Any]) -> Callable[..., Any]:
    """Return the supervisor's own way to open a log, so that a log that cannot be written ends no task."""

    def opened(log_path: str, client: Any) -> Any:
        try:
            logger, file = open_log(log_path, client)
        except OSError as error:
            raise LogUnwritable(f"the agent cannot open the task's log: {error.strerror}") from error
        lossy = LossyFile(file, lambda error: _leave_in_background(client, _task, error))
        logger._logger = structlog.BytesLogger(lossy)  # type: ignore[arg-type]
        return logger, lossy

    return opened


def _leave_in_background(client: Any, task: Workload | None, error: OSError) -> None:
    text = f"the agent could not write its log: {error.strerror}"
    log.error("%s", text)
    if task is None:
        return

    def leave() -> None:
        place = (task.dag_id, task.run_id, task.task_id, FAILURE)
        with contextlib.suppress(Exception):
            # What the task itself leaves says more, and takes the place of this.
            if client.xcoms.get(*place, task.map_index).value is None:
                client.xcoms.set(*place, failure_entry(text, task.attempt), task.map_index)

    # The supervisor has a heartbeat to send meanwhile.
    threading.Thread(target=leave, name="failure", daemon=True).start()


def tell_start(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Return the task's own way to build what it runs, so that the job's answer says why that failed."""

    def told(what: Any, logger: Any) -> Any:
        try:
            return parse(what, logger)
        except (Exception, SystemExit) as error:
            if type(error).__name__ != "AirflowRescheduleException":
                with contextlib.suppress(Exception):
                    _leave(what.ti, _why(error))
            raise

    return told


def _why(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "the agent cannot build the job type; the log says why"
    return f"it could not begin: {reason(error)}"


def _leave(ti: Any, text: str) -> None:
    from airflow.sdk.execution_time.comms import SetXCom

    key = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}
    task_runner.SUPERVISOR_COMMS.send(SetXCom(key=FAILURE, value=failure_entry(text, ti.try_number), **key))


supervisor._configure_logging = open_lossy(supervisor._configure_logging)
task_runner.parse = tell_start(task_runner.parse)
