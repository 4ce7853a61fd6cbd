"""Refuses runs and backfills at times that nothing can hold, or that would stop a schedule (Airflow 3.3.2).

Airflow bounds none of the times that are sent to it. The last microsecond of the year 9999 is rounded up on its way to
PostgreSQL, and what stands there then ends every scheduler that reads it. A run of the future waits for it. And where a
run has the logical date of the schedule's next one already, the scheduler reckons on from the interval of that run.

`tests/security/test_times_at_every_door.py` fails when one of Airflow's doors goes another way.
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
    """Look at all times of a run that is to be stored.

    Raises:
        HTTPException: 422, with each field that is wrong, and how it may be.
    """
    check_times({field: getattr(run, field) for field in _RUN_FIELDS})
    _check_interval(connection, run)


def check_times(times: Mapping[str, datetime | None]) -> None:
    """Look whether the times of a run or backfill are within bounds; those that are not given, are.

    Raises:
        HTTPException: 422, with each field that has not, and the bounds.
    """
    reasons = {field: out_of_bounds(time) for field, time in times.items() if time is not None}
    wrong = [f"{field} {reason}" for field, reason in reasons.items() if reason is not None]
    if wrong:
        raise HTTPException(422, "; ".join(wrong))


def _check_interval(connection: Connection, run: Any) -> None:
    """Give a run that somebody starts the interval of its logical date, where the DAG has a schedule.

    Runs of other DAGs than job types may bring one of their own for the time before the schedule's next run.

    Raises:
        HTTPException: 422: it brings another one.
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
    brought = (run.data_interval_start, run.data_interval_end)
    # Where none was sent, tasks that trigger a run take that of the time when it may start.
    if brought not in (tuple(own), tuple(timetable.infer_manual_data_interval(run_after=run.run_after))):
        raise HTTPException(
            422,
            f"data_interval_start and data_interval_end must be {own.start.isoformat()} and {own.end.isoformat()}, "
            f"as the schedule of {run.dag_id!r} has it for this logical_date; leave both out",
        )
    run.data_interval_start, run.data_interval_end = own
