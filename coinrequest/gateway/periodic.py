"""Work that a thread repeats, and continues after errors."""

import logging
import threading
from collections.abc import Callable

from coinrequest.backoff import Backoff

log = logging.getLogger(__name__)


class Periodic:
    """Repeats some work every `seconds`, and at once when it is woken.

    After an error it retries with a backoff of at most 10 s, or `seconds` if that is longer. Only the first of several
    errors is logged.

    Args:
        name: names the work in the log, as in "Cannot `name`".
        work: does the work; returns whether there is more to do at once.
        seconds: the pause between two repetitions.
    """

    def __init__(self, name: str, work: Callable[[], bool], seconds: float) -> None:
        self._name = name
        self._work = work
        self._seconds = seconds
        self._awake = threading.Event()

    def wake(self) -> None:
        """Start the next repetition now."""
        self._awake.set()

    def run(self, stop: threading.Event) -> None:
        """Repeat the work until `stop` is set; call `wake` after setting it."""
        backoff, failed = Backoff(longest=max(self._seconds, 10.0)), False
        while not stop.is_set():
            self._awake.clear()
            try:
                more = self._work()
            except Exception as error:
                if not failed:
                    log.exception("Cannot %s; trying again", self._name)
                failed = True
                log.debug("Cannot %s: %s", self._name, error)
                stop.wait(backoff.next())
                continue
            if failed:
                log.info("Can %s again", self._name)
            failed = False
            backoff.reset()
            if not more and not stop.is_set():
                self._awake.wait(self._seconds)
