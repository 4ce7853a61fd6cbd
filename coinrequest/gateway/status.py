"""How the channel is, for the log, the health report and the metrics: each change is said once."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Held:
    """Messages that a gateway holds because the database did not take them yet.

    Attributes:
        count: how many.
        since: when the one of them was delivered that waits longest, with a zone; None: none waits.
        reason: what the database said last.
    """

    count: int = 0
    since: datetime | None = None
    reason: str = ""


class ChannelStatus:
    """The state of the channel, from any thread.

    Args:
        configured: whether there is a channel at all.
        changed: called when the broker is reached or is not any more, and when messages begin or cease to wait.
    """

    def __init__(self, *, configured: bool, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._channel = "disconnected" if configured else "none"
        self._detail: str | None = "not connected yet" if configured else None
        self._said = ""
        self._held = Held()
        self._counts: Counter[str] = Counter()

    def now(self) -> tuple[str, str | None]:
        """Return `connected`, `disconnected` or `none`, and why."""
        with self._lock:
            return self._channel, self._detail

    def held(self) -> Held:
        """Return which messages wait."""
        with self._lock:
            return self._held

    def connected(self, url: str) -> None:
        """Note that the broker is reached."""
        with self._lock:
            self._channel, self._detail, self._said = "connected", None, ""
        log.info("The channel is connected: %s", url)
        self._changed()

    def disconnected(self, reason: str) -> None:
        """Note that the broker is away, and has the messages back; said once until it is there again."""
        with self._lock:
            first = not self._said
            self._channel, self._detail, self._said = "disconnected", reason, reason
            self._held = Held()
        if first:
            log.warning("The channel is not connected; trying again until it is: %s", reason)
            self._changed()

    def hold(self, held: Held) -> None:
        """Note which messages wait for the database, and why; without a reason: as before."""
        with self._lock:
            changed = bool(held.count) != bool(self._held.count)
            self._held = held if held.reason or not held.count else replace(held, reason=self._held.reason)
        if not changed:
            return
        if held.count:
            log.warning("Messages wait, the database cannot take them: %s", held.reason)
        else:
            log.info("The database takes messages again")
        self._changed()

    def count(self, outcome: str) -> None:
        """Count a message of which something has become."""
        with self._lock:
            self._counts[outcome] += 1

    def take_counts(self) -> Mapping[str, int]:
        """Return what was counted since the last call."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            return counts

    def give_counts_back(self, counts: Mapping[str, int]) -> None:
        """Count again what could not be written down."""
        with self._lock:
            self._counts.update(counts)
