"""Remove jobs that ended longer ago than `COINREQUEST_JOB_RETENTION` (30 days): a hand-written DAG, not a job type.

Their runs, task instances, results and notices are removed with them. Airflow's audit log and the history of job types
are kept.
"""

from datetime import timedelta

from airflow.sdk import dag, task


@dag(
    dag_id="coinrequest_maintenance",
    description="Remove jobs after their retention period",
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
    """Remove the old jobs in one task, which returns their number."""

    @task
    def remove_old_jobs() -> int:
        from coinrequest.worker.retention import clean

        return clean()

    remove_old_jobs()


coinrequest_maintenance()
