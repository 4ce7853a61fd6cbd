"""The reason why a task failed, as the job and its notices show it."""

import contextlib
import logging
import traceback
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout

from coinrequest.airflow.task_reports import FAILURE, failure_entry
from coinrequest.durations import format_duration
from coinrequest.text import is_storable, storable_text

log = logging.getLogger(__name__)


@contextlib.contextmanager
def record_failure(instance: Any, limit: timedelta | None) -> Iterator[None]:
    """Store the reason beside the task if the block raises, and re-raise.

    Args:
        instance: the task that runs, as Airflow's task context has it (`ti`).
        limit: the time limit of the task.
    """
    try:
        yield
    except (Exception, AirflowTaskTimeout, SystemExit) as error:
        try:
            from coinrequest.airflow.connections import without_secrets

            text = without_secrets(reason(error, limit))
            instance.xcom_push(key=FAILURE, value=failure_entry(text, instance.try_number))
        except Exception:
            # The failure itself matters more, and the log has it in any case.
            log.warning("Cannot store the reason of the failure", exc_info=True)
        loggable = _loggable(error)
        if loggable is error:
            raise
        raise loggable from None


def _loggable(error: BaseException) -> BaseException:
    """Return an error that Airflow can log: logging half of a surrogate pair would end the process without a word."""
    text = "".join(traceback.format_exception(error))
    if is_storable(text.replace("\0", "")):
        return error
    log.error("%s", storable_text(text))
    kind = AirflowFailException if isinstance(error, AirflowFailException) else AirflowException
    return kind(storable_text(reason(error)))


def reason(error: BaseException, limit: timedelta | None = None) -> str:
    """Return an error as text: its message alone if it was written for people, else with the error's type."""
    from coinrequest.actions.base import ActionFailed
    from coinrequest.actions.catalogue import BrokenAction, UnknownAction
    from coinrequest.actions.context import ConnectionUnavailable
    from coinrequest.jobtypes.references import ReferenceUnresolved

    if isinstance(error, AirflowTaskTimeout):
        return f"it was not done within its timeout{f' of {format_duration(limit)}' if limit else ''}"
    if isinstance(error, SystemExit):
        return f"the action ended its own process (exit code {error.code})"
    for_people = (
        *(ActionFailed, ConnectionUnavailable, ReferenceUnresolved),
        *(UnknownAction, BrokenAction, AirflowException),
    )
    text = str(error)
    name = type(error).__name__
    return (text or name) if isinstance(error, for_people) else f"{name}: {text}" if text else name
