"""Reads the log of a task with Airflow's own reader, wherever Airflow keeps it (Airflow 3.3.2)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session, joinedload

from coinrequest.airflow.runs import TaskState
from coinrequest.errors import CoinrequestError

_SOURCES = "::group::Log message source details"
_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"
_GROUP, _END = "::group::", "::endgroup::"
# Fields that are the same in every line of a log, or that only Airflow's developers need.
_LEFT_OUT = {"timestamp", "level", "event", "logger", "error_detail", "filename", "lineno", "ti", "ti_id"}
_LEFT_OUT |= {"dag_id", "run_id", "task_id", "map_index", "try_number"}


class LogUnknown(CoinrequestError):
    """A run has no such task, item or attempt, or it has not started; the message names those that exist."""


def read_log(session: Session, dag_id: str, run_id: str, task: TaskState, attempt: int) -> Iterator[str]:
    """Return the lines of the log of one attempt as readable text, without line ends.

    The log is opened at once, and read while the lines are consumed; the session may be closed by then.

    Raises:
        LogUnknown: Airflow's record of the attempt cannot be read.
    """
    from airflow.utils.log.log_reader import TaskLogReader

    try:
        instance = _instance(session, dag_id, run_id, task, attempt)
    except DataError:
        raise LogUnknown(
            f"Airflow's record of task {task.task!r} cannot be read; somebody may have changed it"
        ) from None
    whole: Any = {"download_logs": True}
    messages, _metadata = TaskLogReader().read_log_chunks(instance, attempt, whole)
    return _lines(messages)


def _instance(session: Session, dag_id: str, run_id: str, task: TaskState, attempt: int) -> Any:
    """Return Airflow's record of an attempt, with everything that its reader uses."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from airflow.models.trigger import Trigger

    parts = (joinedload(TaskInstance.trigger).joinedload(Trigger.triggerer_job), joinedload(TaskInstance.dag_model))
    # An attempt in the history has ended, even while the task waits for its next one.
    for model, options in ((TaskInstanceHistory, ()), (TaskInstance, parts)):
        found = session.scalar(
            select(model)
            .where(
                model.dag_id == dag_id,
                model.run_id == run_id,
                model.task_id == (task.helper or task.task),
                model.map_index == (-1 if task.map_index is None else task.map_index),
                model.try_number == attempt,
            )
            .options(joinedload(model.dag_run), *options)
        )
        if found is not None:
            return found
    raise LogUnknown(f"Airflow has no attempt {attempt} of task {task.task!r}")


def _lines(messages: Iterable[Any]) -> Iterator[str]:
    sources: list[str] = []
    in_sources = False
    for message in messages:
        if message.event == _SOURCES:
            in_sources = True
        elif message.event == _END:
            in_sources = False
        elif in_sources:
            sources.append(message.event)
        elif not message.event.startswith(_GROUP):
            sources.clear()
            yield from _readable(message)
    # If there is no line, Airflow's list of the places that it searched.
    yield from sources


def _readable(message: Any) -> Iterator[str]:
    more: dict[str, Any] = message.model_extra or {}
    first = [message.timestamp.isoformat(timespec="milliseconds")] if message.timestamp else []
    if more.get("level"):
        first.append(str(more["level"]).upper())
    first.append(message.event)
    first += [f"{name}={value}" for name, value in more.items() if name not in _LEFT_OUT]
    yield " ".join(first)
    yield from _traceback(more.get("error_detail") or ())


def _traceback(errors: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Format an error and its causes as Python does, the first cause first.

    https://docs.python.org/3/library/traceback.html
    """
    for position, error in enumerate(reversed(errors), start=1):
        yield "Traceback (most recent call last):"
        for frame in error.get("frames") or ():
            yield f'  File "{frame.get("filename")}", line {frame.get("lineno")}, in {frame.get("name")}'
        yield f"{error.get('exc_type')}: {error.get('exc_value')}"
        if position < len(errors):
            yield from ("", _CAUSE if error.get("is_cause") else _CONTEXT, "")
