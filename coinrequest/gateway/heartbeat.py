"""The row in which a gateway shows that it lives."""

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

_SHOW = text(
    """
    INSERT INTO coinrequest_gateway (name, started_at, seen_at, channel, detail, waiting, waiting_since)
    VALUES (:name, :started_at, now(), :channel, :detail, :waiting, :waiting_since)
    ON CONFLICT (name) DO UPDATE SET
        started_at = excluded.started_at, seen_at = now(), channel = excluded.channel, detail = excluded.detail,
        waiting = excluded.waiting, waiting_since = excluded.waiting_since
    """
)


class Heartbeat:
    """A sign of life of this process.

    Args:
        status: of its channel.
        sessions: gives a session of the metadata database, committed at its end.
    """

    def __init__(self, status: ChannelStatus, sessions: Sessions = airflow_session) -> None:
        self._status = status
        self._sessions = sessions
        self._started_at = datetime.now(UTC)
        self.name = f"{socket.gethostname()[:200]}:{os.getpid()}"

    def show(self) -> None:
        """Write the row, and what became of messages since the last time."""
        channel, detail = self._status.now()
        held = self._status.held()
        said = detail or held.reason or None
        row = {
            "name": self.name,
            "started_at": self._started_at,
            "channel": channel,
            "detail": said and said[:_LONGEST_DETAIL],
            "waiting": held.count,
            "waiting_since": held.since,
        }
        counts = self._status.take_counts()
        try:
            with self._sessions() as session:
                session.execute(_SHOW, row)
                counters.count_messages(session, counts)
        except Exception:
            self._status.give_counts_back(counts)
            raise

    def remove(self) -> None:
        """Take the row away, and write down what was counted last."""
        with self._sessions() as session:
            counters.count_messages(session, self._status.take_counts())
            session.execute(delete(table).where(table.c.name == self.name))
