"""Refuses runs and backfills with times that would crash a scheduler or stop a schedule (Airflow 3.3.2).

Airflow checks no bounds. The last microsecond of the year 9999 is rounded up on its way to PostgreSQL, and the result
crashes every scheduler that reads it. A run in the far future waits for ever. And if a run already has the logical date
of the next scheduled one, the scheduler continues from the interval of that run.

`tests/security/test_times_at_every_door.py` fails if a route of Airflow stores runs in another way.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import HTTPException
from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from coinrequest.airflow.dag_tables import BUNDLE_NAME
from coinrequest.times import out_of_bounds

_RUN_FIELDS = ("run_after", "logical_date", "data_interval_start", "data_interval_end", "partition_date")


def check_run_times(connection: Connection, run: Any) -> None:
    """Check all times of a run before it is stored.

    Raises:
        HTTPException: 422, with each field that is wrong, and what is allowed.
    """
    check_times({field: getattr(run, field) for field in _RUN_FIELDS})
    _check_interval(connection, run)


def check_times(times: Mapping[str, datetime | None]) -> None:
    """Check that the times of a run or a backfill are within bounds; a missing time is.

    Raises:
        HTTPException: 422, with each field that is out of bounds, and the bounds.
    """
    reasons = {field: out_of_bounds(time) for field, time in times.items() if time is not None}
    wrong = [f"{field} {reason}" for field, reason in reasons.items() if reason is not None]
    if wrong:
        raise HTTPException(422, "; ".join(wrong))


def _check_interval(connection: Connection, run: Any) -> None:
    """Set the data interval of a manual run to that of its logical date, if the DAG has a schedule.

    DAGs that are not job types may have runs with other intervals, before the next scheduled run.

    Raises:
        HTTPException: 422, if the run has another interval.
    """
    from airflow.models.dag import DagModel
    from airflow.models.serialized_dag import SerializedDagModel

    if run.logical_date is None or run.data_interval_end is None or run.backfill_id is not None:
        return
    columns = (DagModel.bundle_name, DagModel.next_dagrun, DagModel.timetable_periodic)
    found = connection.execute(select(*columns).where(DagModel.dag_id == run.dag_id)).one_or_none()
    if found is None or not found.timetable_periodic:
        return
    if found.bundle_name != BUNDLE_NAME and (
        found.next_dagrun is None or run.logical_date < found.next_dagrun >= run.data_interval_end
    ):
        return
    with Session(connection) as session:
        serialized = SerializedDagModel.get(run.dag_id, session=session)
        if serialized is None:
            return
        timetable = serialized.dag.timetable
    own = timetable.infer_manual_data_interval(run_after=run.logical_date)
    given = (run.data_interval_start, run.data_interval_end)
    # A task that triggers a run without an interval sets that of `run_after`.
    if given not in (tuple(own), tuple(timetable.infer_manual_data_interval(run_after=run.run_after))):
        raise HTTPException(
            422,
            f"data_interval_start and data_interval_end must be {own.start.isoformat()} and {own.end.isoformat()}, "
            f"the interval of this logical_date in the schedule of {run.dag_id!r}; leave both out",
        )
    run.data_interval_start, run.data_interval_end = own
