"""Checks the times and params of every run that Airflow's own routes create (Airflow 3.3.2).

Triggered runs, backfills, materialised assets and tasks that trigger a run all store the run, or the backfill, through
the ORM, inside the request and after the user's rights were checked. These listeners check the params of job types as a
submission does, mark the numbers in them (`jobtypes/marked_numbers.py`), and check the times of all runs. Runs that
bypass the web server are checked by a database trigger, and their params by the first task
(`coinrequest.worker.operator`).

`tests/security/test_params_at_every_door.py` fails if a route of Airflow stores runs in another way.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import HTTPException
from sqlalchemy import Connection, event
from sqlalchemy.orm import object_session

from coinrequest.airflow.api_server import backfill_limits
from coinrequest.airflow.api_server.run_times import check_run_times
from coinrequest.airflow.session import are_params_checked
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.definition import load_definition
from coinrequest.jobtypes.errors import DefinitionInvalid, DocumentTooLarge, ParamsInvalid
from coinrequest.jobtypes.marked_numbers import mark_params, unmark_params
from coinrequest.jobtypes.params import check_run

_UNMARKED = (
    "The params have a number of more than 53 bits, which a backfill cannot carry as it is; "
    'write it as an object, such as {"$number": "1e22"}'
)


def install() -> None:
    """Check every run and backfill that this process stores. Calling it again changes nothing."""
    from airflow.models.backfill import Backfill
    from airflow.models.dagrun import DagRun

    backfill_limits.install()
    for model, check in ((DagRun, _check_run), (Backfill, _check_backfill)):
        if not event.contains(model, "before_insert", check):
            event.listen(model, "before_insert", check)


def _check_run(_mapper: Any, connection: Connection, run: Any) -> None:
    check_run_times(connection, run)
    # The conf of a backfill was checked with the backfill; a scheduled run has none, and was checked at registration.
    if not are_params_checked(object_session(run)) and _check(connection, run.dag_id, run.conf) and run.conf:
        run.conf = mark_params(unmark_params(run.conf))


def _check_backfill(_mapper: Any, connection: Connection, backfill: Any) -> None:
    is_job_type = _check(connection, backfill.dag_id, backfill.dag_run_conf)
    if is_job_type and (backfill.dag_run_conf or {}) != mark_params(unmark_params(backfill.dag_run_conf or {})):
        # Airflow writes this conf into runs that exist already without the ORM, so it cannot be marked there.
        raise HTTPException(422, _UNMARKED)
    backfill_limits.check_active_runs(connection, backfill)


def _check(connection: Connection, dag_id: str, conf: Mapping[str, Any] | None) -> bool:
    """Check the params of a run if its DAG is a job type, and return whether it is one.

    Raises:
        HTTPException: 409, 413 or 422, with the reason. Airflow's applications answer it as one of their own errors.
    """
    revision = registry.latest(connection, dag_id)
    if revision is None or revision.deleted:
        return False
    try:
        check_run(load_definition(revision.content()), conf)
    except DocumentTooLarge as error:
        raise HTTPException(413, f"Job type {dag_id!r}: {error}") from None
    except ParamsInvalid as error:
        raise HTTPException(422, f"The params do not fit the job type {dag_id!r}: {error.summary()}") from None
    except (DefinitionInvalid, registry.RevisionDamaged) as error:
        raise HTTPException(409, f"Job type {dag_id!r} cannot be read; replace or delete it: {error}") from None
    return True
