"""The XComs that a task stores beside its result: its progress, and the reason of its failure.

Airflow removes the XComs of a task when its next attempt starts.
"""

import math
import re
from datetime import UTC, datetime
from typing import Any

# The keys of the XComs.
PROGRESS = "coinrequest_progress"
FAILURE = "coinrequest_failure"

MESSAGE_LIMIT = 200
FAILURE_LIMIT = 2000

# PostgreSQL stores neither NUL nor lone surrogates, and a terminal must not obey control characters of a server.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_CONTROLS_IN_LINES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def progress_entry(done: float, total: float | None, message: str) -> dict[str, Any]:
    """Return the entry for a report of progress; NaN and infinity become None.

    Args:
        done: how much is done.
        total: how much there is to do; None if that is unknown.
        message: shortened to 200 characters, on one line.
    """
    return {
        "done": _number(done),
        "total": _number(total),
        "message": _CONTROLS.sub(" ", str(message))[:MESSAGE_LIMIT].strip(),
        "reported_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def failure_entry(text: str, attempt: int) -> dict[str, Any]:
    """Return the entry for a failure.

    Args:
        text: the reason; shortened to 2,000 characters, without control characters except line breaks.
        attempt: the attempt that failed, counted from 1.
    """
    text = _CONTROLS_IN_LINES.sub(" ", text).strip()
    return {"text": text if len(text) <= FAILURE_LIMIT else f"{text[: FAILURE_LIMIT - 1]}…", "attempt": attempt}


def _number(value: float | None) -> float | None:
    """Return the number, if JSON can express it."""
    return value if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)) else None
