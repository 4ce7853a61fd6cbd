"""Whether the channel works, for the log and for the health report: each change is said once."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class ChannelStatus:
    """The state of the channel, from any thread.

    Args:
        configured: whether there is a channel at all.
        changed: called when the broker is reached, or is not any more.
    """

    def __init__(self, *, configured: bool, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._channel = "disconnected" if configured else "none"
        self._detail: str | None = "not connected yet" if configured else None
        self._said = ""
        self._database = ""

    def now(self) -> tuple[str, str | None]:
        """Return `connected`, `disconnected` or `none`, and why."""
        with self._lock:
            return self._channel, self._detail

    def connected(self, url: str) -> None:
        """Note that the broker is reached."""
        with self._lock:
            self._channel, self._detail, self._said = "connected", None, ""
        log.info("The channel is connected: %s", url)
        self._changed()

    def disconnected(self, reason: str) -> None:
        """Note that the broker is away; said once until it is back."""
        with self._lock:
            first = not self._said
            self._channel, self._detail, self._said = "disconnected", reason, reason
        if first:
            log.warning("The channel is not connected; trying again until it is: %s", reason)
            self._changed()

    def database(self, reason: str) -> None:
        """Note why messages have to wait for the database; an empty reason: they do not."""
        with self._lock:
            changed = bool(reason) != bool(self._database)
            self._database = reason
        if changed and reason:
            log.warning("Messages wait, the database cannot take them: %s", reason)
        elif changed:
            log.info("The database takes messages again")
