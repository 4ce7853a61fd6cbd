"""Refuses runs whose times or params do not fit, at every door of Airflow's own web server (Airflow 3.3.2).

Its trigger, backfills, materialised assets and tasks that trigger a run all store the run, or the backfill, through the
mapper, inside the request and after the user's rights were looked at. There the params of job types meet the same check
as at submission, and the times of all runs have bounds. What comes past the web server meets a trigger of the database,
and the check of params in the first task (`coinrequest.worker.operator`).

`tests/security/test_params_at_every_door.py` fails when one of Airflow's doors goes another way.
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
from coinrequest.jobtypes.params import check_run


def install() -> None:
    """Watch over every run and backfill that this process stores; once for each process."""
    from airflow.models.backfill import Backfill
    from airflow.models.dagrun import DagRun

    backfill_limits.install()
    for model, check in ((DagRun, _check_run), (Backfill, _check_backfill)):
        if not event.contains(model, "before_insert", check):
            event.listen(model, "before_insert", check)


def _check_run(_mapper: Any, connection: Connection, run: Any) -> None:
    check_run_times(connection, run)
    # A backfill's conf was checked with it; those of schedules are empty, and were checked at registration.
    if not are_params_checked(object_session(run)):
        _check(connection, run.dag_id, run.conf)


def _check_backfill(_mapper: Any, connection: Connection, backfill: Any) -> None:
    _check(connection, backfill.dag_id, backfill.dag_run_conf)
    backfill_limits.check_active_runs(connection, backfill)


def _check(connection: Connection, dag_id: str, conf: Mapping[str, Any] | None) -> None:
    """Let a run pass that is of no job type, or fits.

    Raises:
        HTTPException: 413 or 422, with what is wrong. Airflow's applications answer it as they answer their own.
    """
    revision = registry.latest(connection, dag_id)
    if revision is None or revision.deleted:
        return
    try:
        check_run(load_definition(revision.content()), conf)
    except DocumentTooLarge as error:
        raise HTTPException(413, f"Job type {dag_id!r}: {error}") from None
    except ParamsInvalid as error:
        raise HTTPException(422, f"The params do not fit the job type {dag_id!r}: {error.summary()}") from None
    except (DefinitionInvalid, registry.RevisionDamaged) as error:
        raise HTTPException(409, f"Job type {dag_id!r} cannot be read; replace or delete it: {error}") from None
