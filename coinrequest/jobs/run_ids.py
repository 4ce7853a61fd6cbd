"""Finding the jobs of Airflow's runs."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from coinrequest.database.tables import job as table


def jobs_of_runs(session: Session, runs: Collection[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """Return the jobs of runs, given as DAG id and run id, by one indexed read; runs of other DAGs have none."""
    if not runs:
        return {}
    found = session.execute(
        select(table.c.job_type, table.c.run_id, table.c.id).where(
            tuple_(table.c.job_type, table.c.run_id).in_(list(runs))
        )
    )
    return {(row.job_type, row.run_id): row.id for row in found}
