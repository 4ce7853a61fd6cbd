"""Removing jobs whose time is over, from an agent."""

import logging
from datetime import timedelta

from sqlalchemy import Connection, text

from coinrequest import settings
from coinrequest.database.registry_connection import connect

log = logging.getLogger(__name__)

BATCH = 1000

_CLEAN = text("SELECT coinrequest_clean(:keep, :batch)")


def clean(batch: int = BATCH) -> int:
    """Remove all jobs that ended longer ago than `settings.job_retention()`, and return how many.

    Their runs in Airflow go with them, and so do tasks, results and notices. The audit log stays, and so do task logs
    in files. Each batch is a transaction of its own: what is removed stays removed when a later batch fails.

    Args:
        batch: how many jobs to remove in one transaction, at most 10,000.

    Raises:
        coinrequest.settings.SettingInvalid: the retention is not a duration.
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    keep = settings.job_retention()
    removed = 0
    with connect() as connection:
        # The role's transactions are read-only unless they say otherwise. It may execute this function all the same,
        # and change nothing but through it.
        connection.execution_options(postgresql_readonly=False)
        while count := _clean(connection, keep, batch):
            removed += count
            log.info("Removed %d jobs so far", removed)
    log.info("Removed %d jobs that ended more than %s ago", removed, keep)
    return removed


def _clean(connection: Connection, keep: timedelta, batch: int) -> int:
    with connection.begin():
        return int(connection.execute(_CLEAN, {"keep": keep, "batch": batch}).scalar_one())
