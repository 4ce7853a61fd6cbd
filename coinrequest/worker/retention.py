"""Removes jobs that are older than the retention, from an agent."""

import logging
from datetime import timedelta

from sqlalchemy import Connection, text

from coinrequest import settings
from coinrequest.database.registry_connection import connect

log = logging.getLogger(__name__)

BATCH = 1000

_CLEAN = text("SELECT coinrequest_clean(:keep, :batch)")


def clean(batch: int = BATCH) -> int:
    """Remove all jobs that ended longer ago than `settings.job_retention()`, and return how many there were.

    Their runs in Airflow are removed too, with tasks, results and notices. The audit log stays, and so do the files
    of task logs. Each batch is a transaction of its own, so a failure does not bring back earlier batches.

    Args:
        batch: how many jobs to remove in one transaction, at most 10,000.

    Raises:
        coinrequest.settings.SettingInvalid: the retention is not a duration.
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    keep = settings.job_retention()
    removed = 0
    with connect() as connection:
        # The role's transactions are read-only by default. It may execute this function, and write in no other way.
        connection.execution_options(postgresql_readonly=False)
        while count := _clean(connection, keep, batch):
            removed += count
            log.info("Removed %d jobs so far", removed)
    log.info("Removed %d jobs that ended more than %s ago", removed, keep)
    return removed


def _clean(connection: Connection, keep: timedelta, batch: int) -> int:
    with connection.begin():
        return int(connection.execute(_CLEAN, {"keep": keep, "batch": batch}).scalar_one())
