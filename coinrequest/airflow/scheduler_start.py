"""A listener of Airflow's processes (Airflow 3.3.2): a scheduler follows the rules of schedules, whatever its executor.

Every task process imports this module, so it imports little.
"""

import sys

from airflow.listeners import hookimpl


@hookimpl
def on_starting(component: object) -> None:
    """Called by each of Airflow's processes that has a job of its own, and by each task."""
    if "airflow.jobs.scheduler_job_runner" in sys.modules:
        from coinrequest.airflow import scheduled_runs

        scheduled_runs.control()
