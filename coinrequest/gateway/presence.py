"""The row in which a gateway shows that it lives."""

import os
import socket
from datetime import UTC, datetime

from sqlalchemy import delete, text

from coinrequest.gateway.status import ChannelStatus
from coinrequest.jobs.airflow_session import Sessions, airflow_session
from coinrequest.tables import gateway as table

SECONDS = 5.0
_LONGEST_DETAIL = 500

_SHOW = text(
    """
    INSERT INTO coinrequest_gateway (name, started_at, seen_at, channel, detail)
    VALUES (:name, :started_at, now(), :channel, :detail)
    ON CONFLICT (name) DO UPDATE SET
        started_at = excluded.started_at, seen_at = now(), channel = excluded.channel, detail = excluded.detail
    """
)


class Presence:
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
        """Write the row."""
        channel, detail = self._status.now()
        with self._sessions() as session:
            session.execute(
                _SHOW,
                {
                    "name": self.name,
                    "started_at": self._started_at,
                    "channel": channel,
                    "detail": detail and detail[:_LONGEST_DETAIL],
                },
            )

    def remove(self) -> None:
        """Take the row away."""
        with self._sessions() as session:
            session.execute(delete(table).where(table.c.name == self.name))
