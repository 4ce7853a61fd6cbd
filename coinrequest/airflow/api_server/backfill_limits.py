"""Bounds what a backfill may ask for, also one that is only tried (Airflow 3.3.2).

Airflow stores the runs of a backfill, or lists those of a dry run, inside the request, however many they are. Nothing
of a dry run is stored, so the function that both ask for the runs is replaced in the web server.

`tests/security/test_times_at_every_door.py` fails when Airflow asks another one.
"""

import functools
import itertools
from typing import Any

from fastapi import HTTPException
from sqlalchemy import Connection

from coinrequest.airflow.api_server.run_times import check_times
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.definition import DEFAULT_MAX_JOBS, load_definition

MOST_RUNS = 1000
MOST_ACTIVE_RUNS = 100


def install() -> None:
    """Bound the backfills of this process, once."""
    from airflow.models import backfill

    if not hasattr(backfill._get_info_list, "__wrapped__"):
        backfill._get_info_list = _bounded(backfill._get_info_list)


def check_active_runs(connection: Connection, backfill: Any) -> None:
    """Look whether a backfill keeps to the concurrency of its type.

    Args:
        connection: of the transaction that stores it.
        backfill: whose type, if it has one, can be read.

    Raises:
        HTTPException: 422, with the bounds.
    """
    revision = registry.latest(connection, backfill.dag_id)
    most, why = MOST_ACTIVE_RUNS, ""
    if revision is not None and not revision.deleted:
        concurrency = load_definition(revision.content()).concurrency
        most = concurrency.max_jobs if concurrency else DEFAULT_MAX_JOBS
        why = ", the type's concurrency.max_jobs"
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
