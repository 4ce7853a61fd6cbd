"""What a task leaves beside its result, as XComs that the job's answer reads: how far it is, and why it failed.

Airflow removes the XComs of a task when its next attempt begins, so a new attempt starts from nothing.
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

# PostgreSQL stores no NUL and no half of a surrogate pair, and a terminal should not obey what a server sent.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_CONTROLS_IN_LINES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def progress_entry(done: float, total: float | None, message: str) -> dict[str, Any]:
    """Return what is stored of a report of progress; a number that is none is left out.

    Args:
        done: how much is done.
        total: how much there is to do; None: it is not known.
        message: cut to 200 characters, on one line.
    """
    return {
        "done": _number(done),
        "total": _number(total),
        "message": _CONTROLS.sub(" ", str(message))[:MESSAGE_LIMIT].strip(),
        "reported_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def failure_entry(text: str, attempt: int) -> dict[str, Any]:
    """Return what is stored of a failure.

    Args:
        text: why; cut to 2,000 characters, without control characters but line ends.
        attempt: which attempt it was, counted from 1.
    """
    text = _CONTROLS_IN_LINES.sub(" ", text).strip()
    return {"text": text if len(text) <= FAILURE_LIMIT else f"{text[: FAILURE_LIMIT - 1]}…", "attempt": attempt}


def _number(value: float | None) -> float | None:
    """Return the number if JSON has it."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None
