"""A hand-written DAG that does what the job type of the benchmarks does."""

import time
from datetime import UTC, datetime

from airflow.sdk import DAG, task

with DAG(
    dag_id="plain",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=False,
):

    @task
    def wait(value: int) -> dict[str, object]:
        """Wait."""
        time.sleep(value)
        return {"value": value, "message": "job complete"}

    wait(0)
