"""The URL tests that are done: the jobs of one type, with what each of them saw."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from coinrequest.generator.reports import FAILURE

JOB_TYPE = "url-test"

# A page is found by the index of ended jobs, and only then are its URLs and results looked up.
_DONE = text(
    """
    SELECT job.ended_at, job.state, run.conf ->> 'url' AS url, output.value
    FROM (
        SELECT * FROM coinrequest_job
        WHERE job_type = :job_type AND ended_at IS NOT NULL AND state IN ('success', 'failed', 'cancelled')
        ORDER BY ended_at DESC, id DESC LIMIT :limit OFFSET :offset
    ) AS job
    JOIN dag_run AS run ON run.dag_id = job.job_type AND run.run_id = job.run_id
    LEFT JOIN LATERAL (
        SELECT xcom.value FROM xcom
        WHERE xcom.dag_run_id = run.id
            AND xcom.key = CASE job.state WHEN 'success' THEN 'return_value' WHEN 'failed' THEN :failure END
        ORDER BY xcom.timestamp DESC LIMIT 1
    ) AS output ON true
    ORDER BY job.ended_at DESC, job.id DESC
    """
)


@dataclass(frozen=True)
class TestedUrl:
    """One URL test that is done.

    Attributes:
        time: when it was done, with a zone.
        url: as it was submitted.
        result: the last status code, or the error's text.
    """

    time: datetime
    url: str
    result: str


def done(session: Session, *, limit: int, offset: int = 0) -> Sequence[TestedUrl]:
    """Return the URL tests that are done, the last to be done first, with one read."""
    rows = session.execute(_DONE, {"job_type": JOB_TYPE, "failure": FAILURE, "limit": limit, "offset": offset})
    return [TestedUrl(row.ended_at, row.url or "", _result(row.state, row.value)) for row in rows]


def _result(state: str, value: Any) -> str:
    if state == "cancelled":
        return "cancelled"
    # A task sends its output as JSON text, which Airflow stores as a JSON string.
    output = json.loads(value) if isinstance(value, str) else value
    if isinstance(output, dict) and ("result" in output or "text" in output):
        return str(output["result"] if "result" in output else output["text"])
    return "the test failed; the job's log says why"
