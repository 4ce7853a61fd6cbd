"""Limits the number of runs of a backfill, and of its dry run (Airflow 3.3.2).

Airflow stores the runs of a backfill, or lists those of a dry run, inside the request, however many there are. A dry
run stores nothing, so no ORM listener sees it; the function that lists the runs for both is wrapped instead.

`tests/security/test_times_at_every_door.py` fails if Airflow uses another function.
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
    """Limit the backfills of this process. Calling it again changes nothing."""
    from airflow.models import backfill

    if not hasattr(backfill._get_info_list, "__wrapped__"):
        backfill._get_info_list = _limited(backfill._get_info_list)


def check_active_runs(connection: Connection, backfill: Any) -> None:
    """Check the `max_active_runs` of a backfill against the concurrency of its job type.

    Args:
        connection: the transaction that stores the backfill.
        backfill: the backfill; the definition of its job type, if it has one, must be readable.

    Raises:
        HTTPException: 422, with the limits.
    """
    revision = registry.latest(connection, backfill.dag_id)
    most, source = MOST_ACTIVE_RUNS, ""
    if revision is not None and not revision.deleted:
        concurrency = load_definition(revision.content()).concurrency
        most = concurrency.max_jobs if concurrency else DEFAULT_MAX_JOBS
        source = ", the type's concurrency.max_jobs"
    if not 1 <= backfill.max_active_runs <= most:
        raise HTTPException(422, f"max_active_runs must be between 1 and {most}{source}")


def _limited(get_info_list: Any) -> Any:
    @functools.wraps(get_info_list)
    def limited(*, from_date: Any, to_date: Any, reverse: bool, dag: Any) -> Any:
        """Return the runs if there are not too many.

        Raises:
            HTTPException: 422, if there are too many, or if the times are out of bounds.
        """
        check_times({"from_date": from_date, "to_date": to_date})
        runs = dag.iter_dagrun_infos_between(from_date, to_date)
        if sum(1 for _ in itertools.islice(runs, MOST_RUNS + 1)) > MOST_RUNS:
            raise HTTPException(
                422,
                f"there are more than {MOST_RUNS:,} runs of {dag.dag_id!r} between from_date and to_date; "
                "split the backfill into shorter ones",
            )
        return get_info_list(from_date=from_date, to_date=to_date, reverse=reverse, dag=dag)

    return limited
