"""The messages of the channel, as they are written. The gateway reads jobs (`coinrequest.gateway.parsing`)."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

CONTENT_TYPE = "application/json"
CONTENT_ENCODING = "utf-8"

# The state in the answer to a message of which no job was made.
REFUSED = "refused"


def job_message(job_id: UUID, job_type: str, params: Mapping[str, Any]) -> bytes:
    """Return the message that starts a job."""
    return _encoded({"job_id": str(job_id), "job_type": job_type, "params": dict(params)})


def result_message(
    job_id: UUID | None,
    job_type: str | None,
    state: str,
    result: Any,
    error: str | None,
    finished_at: datetime | None,
) -> bytes:
    """Return the message that says how a job ended, or why there is none.

    Args:
        job_id: None where a refused message names none that can be read.
        job_type: None likewise.
        state: `success`, `failed` or `cancelled`; `refused`: no job was made of the message.
        result: plain JSON, of a job that succeeded.
        error: why it did not, in a sentence.
        finished_at: with a zone.
    """
    return _encoded(
        {
            "job_id": None if job_id is None else str(job_id),
            "job_type": job_type,
            "state": state,
            "result": result,
            "error": error,
            "finished_at": None if finished_at is None else finished_at.isoformat(),
        }
    )


def _encoded(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(CONTENT_ENCODING)
