"""Serialises the messages of the channel. `coinrequest.gateway.parsing` parses the messages with jobs."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

CONTENT_TYPE = "application/json"
CONTENT_ENCODING = "utf-8"

# The state of a result that refuses a message.
REFUSED = "refused"


def job_message(job_id: UUID, job_type: str, params: Mapping[str, Any]) -> bytes:
    """Return the message that submits a job."""
    return _encoded({"job_id": str(job_id), "job_type": job_type, "params": dict(params)})


def result_message(
    job_id: UUID | None,
    job_type: str | None,
    state: str,
    result: Any,
    error: str | None,
    ended_at: datetime | None,
) -> bytes:
    """Return the message with the result of a job, or with the refusal of a message.

    Args:
        job_id: the id of the job; None if a refused message has no valid one.
        job_type: the job type; None if a refused message has no valid one.
        state: `success`, `failed` or `cancelled`; `refused` if the message did not become a job.
        result: the result of a successful job, as JSON data.
        error: the error of a failed job, or the reason of a refusal.
        ended_at: the end of the job, with a time zone.
    """
    return _encoded(
        {
            "job_id": None if job_id is None else str(job_id),
            "job_type": job_type,
            "state": state,
            "result": result,
            "error": error,
            "ended_at": None if ended_at is None else ended_at.isoformat(),
        }
    )


def _encoded(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(CONTENT_ENCODING)
