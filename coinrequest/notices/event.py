"""The body of a notice: the job and how it ended, fixed when the notice is created."""

import json
from typing import Any
from urllib.parse import quote

from coinrequest import settings
from coinrequest.jobs.job import Job
from coinrequest.text import storable

# Bytes. A larger result is left out: receivers often refuse bodies of a megabyte.
RESULT_LIMIT = 256 * 1024


def job_url(job: Job) -> str:
    """Return the URL of a job in the REST API."""
    return f"{settings.base_url()}/jobs/v1/jobs/{job.id}"


def run_url(job: Job) -> str:
    """Return the URL of a job's run in the Airflow UI."""
    return f"{settings.base_url()}/dags/{quote(job.job_type)}/runs/{quote(job.run_id, safe='')}"


def bounded_result(job: Job) -> Any:
    """Return the result of a job, or a link to it if it is large."""
    result = storable(job.result)
    size = len(json.dumps(result, ensure_ascii=False).encode())
    if size <= RESULT_LIMIT:
        return result
    return {"omitted": f"The result has {size} bytes, more than a notice holds", "link": job_url(job)}


def event_body(job: Job) -> str:
    """Return the body of a webhook for a job that has ended, in the event format of Standard Webhooks."""
    error = job.error
    ended_at = job.ended_at and job.ended_at.isoformat()
    event = {
        "type": "job.completed",
        "timestamp": ended_at,
        "data": {
            "job_id": str(job.id),
            "job_type": job.job_type,
            "state": job.state,
            "result": bounded_result(job),
            "error": error and {"task": error.task, "map_index": error.map_index, "message": error.message},
            "submitted_at": job.submitted_at.isoformat(),
            "started_at": job.started_at and job.started_at.isoformat(),
            "ended_at": ended_at,
            "labels": dict(job.labels),
            "links": {"job": job_url(job), "run": run_url(job)},
        },
    }
    return json.dumps(event, ensure_ascii=False)


def channel_body(job: Job) -> str:
    """Return the message for the `result` channel about a job that has ended."""
    from coinrequest.channel.messages import result_message

    error = job.error.message if job.error else None
    return result_message(job.id, job.job_type, job.state, bounded_result(job), error, job.ended_at).decode()
