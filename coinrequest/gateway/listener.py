"""Hearing of ended jobs at once, by PostgreSQL's NOTIFY; a look at the tables each second stands behind it."""

import logging
import threading
from collections.abc import Callable

from coinrequest.backoff import Backoff

log = logging.getLogger(__name__)

# `coinrequest_record_run` in `coinrequest/database/schema.sql` notifies it with the job's id and its new state.
_NOTIFICATIONS = "coinrequest_job"
_ENDS = ("success", "failed", "cancelled")
_POLL_SECONDS = 1.0


def listen(url: str, ended: Callable[[], None], stop: threading.Event) -> None:
    """Call `ended` whenever a job ends, until `stop` is set. A connection that breaks is opened again.

    Args:
        url: of the metadata database, without a driver (`postgresql://...`).
        ended: called in this thread, also once after each new connection; it must return at once.
    """
    import psycopg

    backoff, lost = Backoff(), False
    while not stop.is_set():
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                connection.execute(f"LISTEN {_NOTIFICATIONS}")
                if lost:
                    log.info("Listening to the database again")
                lost = False
                backoff.reset()
                # What ended before is heard by nobody.
                ended()
                while not stop.is_set():
                    for heard in connection.notifies(timeout=_POLL_SECONDS, stop_after=1):
                        if heard.payload.endswith(_ENDS):
                            ended()
        except psycopg.Error as error:
            if not lost:
                log.warning("Cannot listen to the database; looking each second instead: %s", str(error).strip())
            lost = True
            stop.wait(backoff.next())
