"""Listens for ended jobs by PostgreSQL's NOTIFY; the gateway also polls the tables each second."""

import logging
import threading
from collections.abc import Callable

from coinrequest.backoff import Backoff

log = logging.getLogger(__name__)

# `coinrequest_record_run` in `coinrequest/database/schema.sql` sends the id of the job and its new state to it.
_NOTIFY_CHANNEL = "coinrequest_job"
_END_STATES = ("success", "failed", "cancelled")
_POLL_SECONDS = 1.0


def listen(url: str, ended: Callable[[], None], stop: threading.Event) -> None:
    """Call `ended` whenever a job ends, until `stop` is set; reconnect if the connection breaks.

    Args:
        url: the URL of the metadata database, without a driver (`postgresql://...`).
        ended: called in this thread, also after each new connection; it must not block.
        stop: checked at least once a second.
    """
    import psycopg

    backoff, lost = Backoff(), False
    while not stop.is_set():
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                connection.execute(f"LISTEN {_NOTIFY_CHANNEL}")
                if lost:
                    log.info("Listening to the database again")
                lost = False
                backoff.reset()
                # A job that ended before the LISTEN sent no notification.
                ended()
                while not stop.is_set():
                    for notification in connection.notifies(timeout=_POLL_SECONDS, stop_after=1):
                        if notification.payload.endswith(_END_STATES):
                            ended()
        except psycopg.Error as error:
            if not lost:
                log.warning("Cannot listen to the database; polling each second instead: %s", str(error).strip())
            lost = True
            stop.wait(backoff.next())
