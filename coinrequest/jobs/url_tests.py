"""The URL tests that are done: the jobs of one type, with what each of them saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from coinrequest.airflow.task_reports import FAILURE
from coinrequest.database.stored import Unreadable, bounded_time, read_json

JOB_TYPE = "url-test"

# Characters: of a stored result, and of what is answered of it.
_LONGEST = 64 * 1024
_LONGEST_TEXT = 4096

# A page is found by the index of ended jobs, and only then are its URLs and results looked up.
_DONE = text(
    f"""
    SELECT {bounded_time("job.ended_at")} AS ended_at, job.state, left(run.conf ->> 'url', 8192) AS url, output.value
    FROM (
        SELECT * FROM coinrequest_job
        WHERE job_type = :job_type AND ended_at IS NOT NULL AND state IN ('success', 'failed', 'cancelled')
        ORDER BY ended_at DESC, id DESC LIMIT :limit OFFSET :offset
    ) AS job
    JOIN dag_run AS run ON run.dag_id = job.job_type AND run.run_id = job.run_id
    LEFT JOIN LATERAL (
        SELECT left(xcom.value::text, :longest) AS value FROM xcom
        WHERE xcom.dag_run_id = run.id
            AND xcom.key = CASE job.state WHEN 'success' THEN 'return_value' WHEN 'failed' THEN :failure END
        ORDER BY xcom.timestamp DESC LIMIT 1
    ) AS output ON true
    ORDER BY job.ended_at DESC, job.id DESC
    """  # noqa: S608 - of constants alone
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
    page = {"limit": limit, "offset": offset, "longest": _LONGEST}
    rows = session.execute(_DONE, {"job_type": JOB_TYPE, "failure": FAILURE, **page})
    return [TestedUrl(row.ended_at, row.url or "", _result(row.state, row.value)) for row in rows]


def _result(state: str, stored: str | None) -> str:
    if state == "cancelled":
        return "cancelled"
    if stored is None:
        return "the test failed; the job's log says why"
    try:
        # A task sends its output as JSON text, which Airflow stores as a JSON string.
        output = read_json(stored)
        output = read_json(output) if isinstance(output, str) else output
        return str(output["result"] if "result" in output else output["text"])[:_LONGEST_TEXT]
    except (Unreadable, LookupError, TypeError):
        # Somebody changed it in Airflow.
        return "the stored result cannot be read"
