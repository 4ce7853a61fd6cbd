"""Finding what the trigger on Airflow's runs missed, so that no job and no notice is lost."""

from sqlalchemy import text
from sqlalchemy.orm import Session

# A run that ended longer ago was looked at by many sweeps before. Active runs have small indexes of their own.
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
    """Bring up to 1,000 jobs into step with their runs, when the caller commits; return how many were not."""
    return int(session.execute(_SWEEP).scalar_one())
