"""The dispatcher, which delivers due notices."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from coinrequest.airflow.session import Sessions, airflow_session
from coinrequest.notices import claims
from coinrequest.notices.claims import Attempt, Claim
from coinrequest.notices.destinations import apprise, channel, webhook
from coinrequest.notices.destinations.channel import Publisher
from coinrequest.notices.outcome import Outcome
from coinrequest.notices.policy import Policy
from coinrequest.notices.receivers import Receivers

log = logging.getLogger(__name__)

_LONGEST_WAIT_FOR_DATABASE = 10.0


class Dispatcher:
    """Delivers due notices. Any number of processes may run one.

    Args:
        publisher: of the `result` channel; None: there is no channel.
        sessions: opens a session of the metadata database that is committed at its end.
    """

    def __init__(
        self,
        publisher: Publisher | None,
        *,
        policy: Policy = Policy(),  # noqa: B008 - frozen
        sessions: Sessions = airflow_session,
    ) -> None:
        self._publisher = publisher
        self._policy = policy
        self._sessions = sessions
        self._receivers = Receivers(policy)
        self._lock = threading.Lock()
        self._held: set[UUID] = set()
        self._awake = threading.Event()
        self._database_away = False

    def wake(self) -> None:
        """Check for due notices at once, from any thread."""
        self._awake.set()

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set, and wait for the attempts in flight, which takes seconds.

        If the database is unavailable, it waits; attempts that end meanwhile are recorded when it is back.
        """
        wait = self._policy.poll_seconds
        with ThreadPoolExecutor(self._policy.threads, thread_name_prefix="notice") as pool:
            while not stop.is_set():
                self._awake.clear()
                try:
                    self._start(pool, stop)
                except Exception as error:
                    self._database_failed(error)
                    wait = min(wait * 2, _LONGEST_WAIT_FOR_DATABASE)
                    stop.wait(wait)
                else:
                    self._database_works()
                    wait = self._policy.poll_seconds
                    self._awake.wait(wait)

    def _start(self, pool: ThreadPoolExecutor, stop: threading.Event) -> None:
        """Start attempts until nothing is due, or all threads or receivers are busy."""
        while not stop.is_set() and (claimed := self._claim()):
            for claim in claimed:
                pool.submit(self._deliver, claim, stop)

    def _claim(self) -> list[Claim]:
        with self._lock:
            held = list(self._held)
        free = self._policy.threads - len(held)
        if free <= 0:
            return []
        now, clock = datetime.now(UTC), time.monotonic()
        with self._sessions() as session:
            claimed = claims.claim(
                session,
                now=now,
                lease=now + self._policy.lease,
                limit=free,
                busy=self._receivers.full(clock),
                held=held,
                capacity=lambda receiver: self._receivers.capacity(receiver, clock),
            )
        with self._lock:
            self._held.update(claim.id for claim in claimed)
        for claim in claimed:
            self._receivers.begin(claim.receiver)
        return claimed

    def _deliver(self, claim: Claim, stop: threading.Event) -> None:
        started_at, clock = datetime.now(UTC), time.monotonic()
        try:
            outcome = self._attempt(claim)
        except Exception as error:
            outcome = Outcome(error=f"{type(error).__name__}: {error}")
        attempt = Attempt(started_at, time.monotonic() - clock, outcome)
        log.info(
            "Notice %s to %s, attempt %d: %s",
            claim.id,
            claim.receiver,
            claim.attempts + 1,
            "delivered" if outcome.delivered else outcome.error,
        )
        self._receivers.end(claim.receiver, time.monotonic(), answered=outcome.answered)
        try:
            self._record(claim, attempt, stop)
        except Exception:
            log.exception("An attempt of notice %s cannot be recorded; it may be delivered twice", claim.id)
        finally:
            with self._lock:
                self._held.discard(claim.id)
            self.wake()

    def _attempt(self, claim: Claim) -> Outcome:
        match claim.kind:
            case "webhook":
                return webhook.deliver(claim, self._policy)
            case "apprise":
                return apprise.deliver(claim, self._policy)
            case "channel":
                return channel.deliver(claim, self._publisher)
        return Outcome(error=f"there is no kind of notice {claim.kind!r}")

    def _record(self, claim: Claim, attempt: Attempt, stop: threading.Event) -> None:
        """Record an attempt, however long the database is unavailable. Until then the notice is not claimed again."""
        while True:
            try:
                with self._sessions() as session:
                    now = datetime.now(UTC)
                    claims.record(session, claim, attempt, now=now, policy=self._policy)
                    if not attempt.outcome.answered:
                        claims.give_up(session, claim.receiver, now=now)
                return
            except (OperationalError, InterfaceError, PoolExhausted) as error:
                self._database_failed(error)
                if stop.wait(self._policy.poll_seconds):
                    log.warning("An attempt of notice %s is not recorded; it may be delivered twice", claim.id)
                    return

    def _database_failed(self, error: Exception) -> None:
        with self._lock:
            first, self._database_away = not self._database_away, True
        if first:
            log.error("The database is unavailable; notices wait: %s", error, exc_info=error)

    def _database_works(self) -> None:
        with self._lock:
            returned, self._database_away = self._database_away, False
        if returned:
            log.info("The database is available again; notices are delivered")
