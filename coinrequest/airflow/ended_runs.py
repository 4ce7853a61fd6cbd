"""Runs that have ended, each with a param and what its last task left (Airflow 3.3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from coinrequest.airflow.task_reports import FAILURE
from coinrequest.database.stored import bounded_time

# Characters of a stored output, and of a param.
_LONGEST_OUTPUT = 64 * 1024
_LONGEST_PARAM = 8192

# A page is found by the index of ended jobs, and only then are its params and outputs looked up.
_ENDED = text(
    f"""
    SELECT {bounded_time("job.ended_at")} AS ended_at, job.state, output.value,
        left(run.conf ->> :param, :longest_param) AS param
    FROM (
        SELECT * FROM coinrequest_job
        WHERE job_type = :job_type AND ended_at IS NOT NULL AND state IN ('success', 'failed', 'cancelled')
        ORDER BY ended_at DESC, id DESC LIMIT :limit OFFSET :offset
    ) AS job
    JOIN dag_run AS run ON run.dag_id = job.job_type AND run.run_id = job.run_id
    LEFT JOIN LATERAL (
        SELECT left(xcom.value::text, :longest_output) AS value FROM xcom
        WHERE xcom.dag_run_id = run.id
            AND xcom.key = CASE job.state WHEN 'success' THEN 'return_value' WHEN 'failed' THEN :failure END
        ORDER BY xcom.timestamp DESC LIMIT 1
    ) AS output ON true
    ORDER BY job.ended_at DESC, job.id DESC
    """  # noqa: S608 - of constants alone
)


@dataclass(frozen=True)
class EndedRun:
    """A run that has ended.

    Attributes:
        ended_at: when, with a zone.
        state: `success`, `failed` or `cancelled`.
        param: as text; None: the run has no such param.
        output: what the last task returned, or why it failed, as Airflow stores it; None: nothing.
    """

    ended_at: datetime
    state: str
    param: str | None
    output: str | None


def ended_runs(session: Session, job_type: str, param: str, *, limit: int, offset: int) -> Sequence[EndedRun]:
    """Return a page of the runs of a type that have ended, the last to end first, with one read.

    Args:
        param: the name of the param that is returned.
    """
    values = {
        "job_type": job_type,
        "param": param,
        "limit": limit,
        "offset": offset,
        "failure": FAILURE,
        "longest_output": _LONGEST_OUTPUT,
        "longest_param": _LONGEST_PARAM,
    }
    return [EndedRun(row.ended_at, row.state, row.param, row.value) for row in session.execute(_ENDED, values)]
