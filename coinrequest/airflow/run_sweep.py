"""Finds runs that the trigger on Airflow's table missed, so that no job and no notice is lost (Airflow 3.3.2)."""

from sqlalchemy import text
from sqlalchemy.orm import Session

# Runs that ended earlier were part of many sweeps before. Active runs have small indexes of their own.
_SWEEP = text(
    """
    SELECT count(*) FILTER (WHERE coinrequest_record_run(missed.dag_id, missed.run_id)) FROM (
        SELECT r.dag_id, r.run_id FROM dag_run AS r
        JOIN dag AS d ON d.dag_id = r.dag_id AND d.bundle_name = 'job_types'
        LEFT JOIN coinrequest_job AS j ON j.job_type = r.dag_id AND j.run_id = r.run_id
        WHERE (r.state IN ('queued', 'running') OR r.run_after > now() - interval '2 days')
            AND (j.id IS NULL OR (j.state <> r.state AND NOT (j.state = 'cancelled' AND r.state = 'failed')))
        UNION ALL
        SELECT j.job_type, j.run_id FROM coinrequest_job AS j
        LEFT JOIN dag_run AS r ON r.dag_id = j.job_type AND r.run_id = j.run_id
        WHERE j.state IN ('queued', 'running') AND (r.state IS NULL OR r.state <> j.state)
        LIMIT 1000
    ) AS missed
    """
)


def sweep(session: Session) -> int:
    """Update up to 1,000 jobs that differ from their runs, when the caller commits; return how many there were."""
    return int(session.execute(_SWEEP).scalar_one())
