"""The status of the channel, for the log, the health report and the metrics; each change is logged once."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Waiting:
    """Messages that a gateway holds until the database can store them.

    Attributes:
        count: how many there are.
        since: when the oldest was delivered, with a zone; None if there are none.
        reason: the last error of the database.
    """

    count: int = 0
    since: datetime | None = None
    reason: str = ""


class ChannelStatus:
    """The status of the channel; safe to use from several threads.

    Args:
        configured: whether there is a channel at all.
        on_change: called when the channel connects or disconnects, and when messages start or stop waiting.
    """

    def __init__(self, *, configured: bool, on_change: Callable[[], None] = lambda: None) -> None:
        self._on_change = on_change
        self._lock = threading.Lock()
        self._channel = "disconnected" if configured else "none"
        self._detail: str | None = "not connected yet" if configured else None
        self._logged = False
        self._waiting = Waiting()
        self._counts: Counter[str] = Counter()

    def state(self) -> tuple[str, str | None]:
        """Return `connected`, `disconnected` or `none`, and the reason if it is disconnected."""
        with self._lock:
            return self._channel, self._detail

    def waiting(self) -> Waiting:
        """Return the messages that wait."""
        with self._lock:
            return self._waiting

    def set_connected(self, url: str) -> None:
        """Record that the channel is connected."""
        with self._lock:
            self._channel, self._detail, self._logged = "connected", None, False
        log.info("The channel is connected: %s", url)
        self._on_change()

    def set_disconnected(self, reason: str) -> None:
        """Record that the channel is disconnected, so that its messages are back at the broker."""
        with self._lock:
            first = not self._logged
            self._channel, self._detail, self._logged = "disconnected", reason, True
            self._waiting = Waiting()
        if first:
            log.warning("The channel is disconnected; reconnecting: %s", reason)
            self._on_change()

    def set_waiting(self, waiting: Waiting) -> None:
        """Record the messages that wait for the database; without a reason, the last one is kept."""
        with self._lock:
            changed = bool(waiting.count) != bool(self._waiting.count)
            keep_reason = waiting.count and not waiting.reason
            self._waiting = replace(waiting, reason=self._waiting.reason) if keep_reason else waiting
        if not changed:
            return
        if waiting.count:
            log.warning("Messages wait because the database cannot store them: %s", waiting.reason)
        else:
            log.info("The database stores messages again")
        self._on_change()

    def count(self, outcome: str) -> None:
        """Count a message by its outcome."""
        with self._lock:
            self._counts[outcome] += 1

    def take_counts(self) -> Mapping[str, int]:
        """Return the counts since the last call, and reset them."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            return counts

    def restore_counts(self, counts: Mapping[str, int]) -> None:
        """Add back counts that could not be written."""
        with self._lock:
            self._counts.update(counts)
