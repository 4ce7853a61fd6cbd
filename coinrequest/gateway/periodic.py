"""Work that is done again and again, by a thread of its own, whatever happens to the database."""

import logging
import threading
from collections.abc import Callable

from coinrequest.backoff import Backoff

log = logging.getLogger(__name__)


class Periodic:
    """Does some work each `seconds`, and at once when it is woken.

    A failure is logged once, until the work succeeds again; the next try comes later and later, within 10 s.

    Args:
        what: what the work does, for the log.
        work: returns whether there is more to do at once.
    """

    def __init__(self, what: str, work: Callable[[], bool], seconds: float) -> None:
        self._what = what
        self._work = work
        self._seconds = seconds
        self._awake = threading.Event()

    def wake(self) -> None:
        """Do the work now."""
        self._awake.set()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set and the thread is woken."""
        backoff, failed = Backoff(longest=max(self._seconds, 10.0)), False
        while not stop.is_set():
            self._awake.clear()
            try:
                more = self._work()
            except Exception as error:
                if not failed:
                    log.exception("Cannot %s; trying again", self._what)
                failed = True
                log.debug("Cannot %s: %s", self._what, error)
                stop.wait(backoff.next())
                continue
            if failed:
                log.info("Can %s again", self._what)
            failed = False
            backoff.reset()
            if not more and not stop.is_set():
                self._awake.wait(self._seconds)
