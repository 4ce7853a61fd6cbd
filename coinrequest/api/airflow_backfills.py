"""Bounds what a backfill may ask for, also one that is only tried (Airflow 3.3.2).

Airflow stores the runs of a backfill, or lists those of a dry run, inside the request, however many they are. Nothing of
a dry run is stored, so the function that both ask for the runs is replaced in the web server.

`tests/security/test_times_at_every_door.py` fails when Airflow asks another one.
"""

import functools
import itertools
from typing import Any

from fastapi import HTTPException
from sqlalchemy import Connection, select

from coinrequest.api.airflow_times import check_times
from coinrequest.generator.shards import BUNDLE_NAME

MOST_RUNS = 1000
MOST_ACTIVE_RUNS = 100


def install() -> None:
    """Bound the backfills of this process, once."""
    from airflow.models import backfill

    if not hasattr(backfill._get_info_list, "__wrapped__"):
        backfill._get_info_list = _bounded(backfill._get_info_list)


def check_active_runs(connection: Connection, backfill: Any) -> None:
    """Look whether a backfill keeps to the concurrency of its type.

    Raises:
        HTTPException: 422, with the bounds.
    """
    from airflow.models.dag import DagModel

    found = connection.execute(
        select(DagModel.bundle_name, DagModel.max_active_runs).where(DagModel.dag_id == backfill.dag_id)
    ).one_or_none()
    is_job_type = found is not None and found.bundle_name == BUNDLE_NAME
    most, why = (found.max_active_runs, ", the type's concurrency.max_jobs") if is_job_type else (MOST_ACTIVE_RUNS, "")
    if not 1 <= backfill.max_active_runs <= most:
        raise HTTPException(422, f"max_active_runs must be between 1 and {most}{why}")


def _bounded(get_info_list: Any) -> Any:
    @functools.wraps(get_info_list)
    def bounded(*, from_date: Any, to_date: Any, reverse: bool, dag: Any) -> Any:
        """Return the runs, having counted no more than there may be.

        Raises:
            HTTPException: 422: there are more, or the times are out of bounds.
        """
        check_times({"from_date": from_date, "to_date": to_date})
        runs = dag.iter_dagrun_infos_between(from_date, to_date)
        if sum(1 for _ in itertools.islice(runs, MOST_RUNS + 1)) > MOST_RUNS:
            raise HTTPException(
                422,
                f"from_date and to_date hold more than {MOST_RUNS:,} runs of {dag.dag_id!r}; "
                "choose a shorter time, one after the other",
            )
        return get_info_list(from_date=from_date, to_date=to_date, reverse=reverse, dag=dag)

    return bounded
