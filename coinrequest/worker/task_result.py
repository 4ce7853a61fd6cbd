"""Storing the result of an action. The work is done by then, so as little as possible may fail.

What cannot be stored fails the task without a retry: the work would be done again, with the same result.
"""

import logging
import re
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowRuntimeError

from coinrequest.airflow.task_results import result_text
from coinrequest.limits import MAX_RESULT_BYTES
from coinrequest.nesting import MAX_DEPTH, is_too_deep
from coinrequest.text import is_storable, storable

log = logging.getLogger(__name__)

RETURN_VALUE = "return_value"
_MOST_PLACES = 5
# Statuses that refuse the value itself, from the web server or a proxy before it.
_REFUSALS = (400, 413, 422)
# How httpx names the status of an answer that is not Airflow's own.
_STATUS = re.compile(r" error '(\d{3}) ")


def store_result(instance: Any, action: str, output: Any) -> int:
    """Store the result of an action; return its size in bytes.

    Args:
        instance: the task that runs, as Airflow's task context has it (`ti`).
        action: the action's name, for messages.
        output: the result, a pydantic model.

    Raises:
        AirflowFailException: it cannot be stored.
    """
    text = stored_text(action, output)
    try:
        instance.xcom_push(key=RETURN_VALUE, value=text)
    except AirflowRuntimeError as error:
        if (status := _status_of(error)) in _REFUSALS:
            raise _not_stored(action, f"it was refused with status {status}: {error}") from error
        raise
    return len(text.encode())


def _status_of(error: AirflowRuntimeError) -> int | None:
    detail = error.error.detail or {}
    if isinstance(status := detail.get("status_code"), int):
        return status
    found = _STATUS.search(str(detail.get("message")))
    return int(found[1]) if found else None


def stored_text(action: str, output: Any) -> str:
    """Return the result of an action as the text that is stored.

    U+FFFD stands for characters that cannot be stored; the log says where.

    Raises:
        AirflowFailException: it is larger than 1 MiB, nested deeper than 200 levels, or no JSON data.
    """
    try:
        data = _json_data(output)
        text = result_text(data)
        if not is_too_deep(data, text):
            return _checked_size(action, text if _is_storable(text) else result_text(_replaced(data)))
    except RecursionError:
        pass
    except (ValueError, TypeError) as error:
        # What pydantic raises has no type of its own.
        if "depth exceeded" not in str(error):
            raise _not_stored(action, f"it is no JSON data: {error}") from error
    raise _not_stored(action, f"it is nested deeper than {MAX_DEPTH} levels")


def _json_data(output: Any) -> Any:
    try:
        return output.model_dump(mode="json")
    except UnicodeEncodeError:
        from pydantic_core import to_jsonable_python

        # pydantic cannot convert a key with half of a surrogate pair.
        return to_jsonable_python(_replaced(output.model_dump()))


def _is_storable(text: str) -> bool:
    """Return whether a JSON text has only characters that can be stored; NUL is always escaped in it."""
    return r"\u0000" not in text and is_storable(text)


def _replaced(data: Any) -> Any:
    places: dict[str, int] = {}
    clean = storable(data, places)
    if places:
        named = ", ".join(list(places)[:_MOST_PLACES])
        more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
        log.warning(
            "%d characters of the result cannot be stored (NUL, or half of a surrogate pair) and became U+FFFD, in: "
            "%s%s",
            *(sum(places.values()), named, more),
        )
    return clean


def _checked_size(action: str, text: str) -> str:
    size = len(text.encode())
    if size > MAX_RESULT_BYTES:
        raise _not_stored(action, f"it has {size:,} bytes, and the limit is {MAX_RESULT_BYTES:,}")
    return text


def _not_stored(action: str, why: str) -> AirflowFailException:
    return AirflowFailException(
        f"the result of {action} cannot be stored: {why}. The work itself is done, so it is not tried again"
    )
