"""The heartbeat of a gateway: its row in the database."""

import os
import socket
from datetime import UTC, datetime

from sqlalchemy import delete, text

from coinrequest.airflow.session import Sessions, airflow_session
from coinrequest.database.tables import gateway as table
from coinrequest.gateway.status import ChannelStatus
from coinrequest.metrics import counters

SECONDS = 5.0
_LONGEST_DETAIL = 500

_WRITE = text(
    """
    INSERT INTO coinrequest_gateway (name, started_at, seen_at, channel, detail, waiting, waiting_since)
    VALUES (:name, :started_at, now(), :channel, :detail, :waiting, :waiting_since)
    ON CONFLICT (name) DO UPDATE SET
        started_at = excluded.started_at, seen_at = now(), channel = excluded.channel, detail = excluded.detail,
        waiting = excluded.waiting, waiting_since = excluded.waiting_since
    """
)


class Heartbeat:
    """The heartbeat of this process.

    Args:
        status: the status of its channel.
        sessions: returns a session of the metadata database, which commits on exit.
    """

    def __init__(self, status: ChannelStatus, sessions: Sessions = airflow_session) -> None:
        self._status = status
        self._sessions = sessions
        self._started_at = datetime.now(UTC)
        self.name = f"{socket.gethostname()[:200]}:{os.getpid()}"

    def write(self) -> None:
        """Write the row, and add the outcomes of messages since the last time to the counters."""
        channel, detail = self._status.state()
        waiting = self._status.waiting()
        reason = detail or waiting.reason or None
        row = {
            "name": self.name,
            "started_at": self._started_at,
            "channel": channel,
            "detail": reason and reason[:_LONGEST_DETAIL],
            "waiting": waiting.count,
            "waiting_since": waiting.since,
        }
        counts = self._status.take_counts()
        try:
            with self._sessions() as session:
                session.execute(_WRITE, row)
                counters.count_messages(session, counts)
        except Exception:
            self._status.restore_counts(counts)
            raise

    def remove(self) -> None:
        """Remove the row, and write the last counts."""
        with self._sessions() as session:
            counters.count_messages(session, self._status.take_counts())
            session.execute(delete(table).where(table.c.name == self.name))
