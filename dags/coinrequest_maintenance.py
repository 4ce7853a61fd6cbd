"""Removes jobs that ended longer ago than `COINREQUEST_JOB_RETENTION` (30 days): a hand-written DAG, not a job type.

Their runs, task instances, results and notices go with them. Airflow's audit log and the history of job types stay.
"""

from datetime import timedelta

from airflow.sdk import dag, task


@dag(
    dag_id="coinrequest_maintenance",
    description="Remove jobs whose time is over",
    schedule="30 2 * * *",
    catchup=False,
    max_active_runs=1,
    tags=["maintenance"],
    default_args={
        "owner": "platform",
        "retries": 3,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=2),
    },
    doc_md=__doc__,
)
def coinrequest_maintenance() -> None:
    """Build the DAG: one task that removes what is too old and returns how many jobs that were."""

    @task
    def remove_old_jobs() -> int:
        from coinrequest.worker.retention import clean

        return clean()

    remove_old_jobs()


coinrequest_maintenance()
