"""Limits for each receiver, so that one that is slow or does not answer delays no other.

A receiver is the server that a notice goes to: scheme, host and port of a webhook, an Airflow connection, or the
channel. It gets a few notices at a time. After several unanswered attempts in a row it gets one at a time, with growing
pauses, so that not every notice waits for a time-out; its next answer lifts that. Each process counts on its own: a
gateway finds out with a few attempts.
"""

import threading
from dataclasses import dataclass

from coinrequest.backoff import Backoff
from coinrequest.notices.policy import Policy


@dataclass
class _Receiver:
    in_flight: int = 0
    unanswered: int = 0
    paused_until: float = 0.0


class Receivers:
    """Counts the notices in flight to each receiver; thread-safe. Times are monotonic seconds."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._pauses = Backoff(policy.first_delay.total_seconds(), policy.longest_pause.total_seconds(), jitter=0.0)
        self._lock = threading.Lock()
        self._known: dict[str, _Receiver] = {}

    def capacity(self, name: str, now: float) -> int:
        """Return how many notices may be sent to a receiver now."""
        with self._lock:
            return self._capacity(self._known.get(name), now)

    def full(self, now: float) -> list[str]:
        """Return the receivers that get nothing now."""
        with self._lock:
            return [name for name, receiver in self._known.items() if self._capacity(receiver, now) == 0]

    def begin(self, name: str) -> None:
        """Note that an attempt begins."""
        with self._lock:
            self._known.setdefault(name, _Receiver()).in_flight += 1

    def end(self, name: str, now: float, *, answered: bool) -> None:
        """Note that an attempt has ended, and whether the receiver answered."""
        with self._lock:
            receiver = self._known[name]
            receiver.in_flight -= 1
            if answered:
                receiver.unanswered = 0
            else:
                receiver.unanswered += 1
                receiver.paused_until = now + self._pauses.delay(receiver.unanswered - self._policy.patience + 1)
            if receiver.in_flight == 0 and receiver.unanswered == 0:
                del self._known[name]

    def _capacity(self, receiver: _Receiver | None, now: float) -> int:
        if receiver is None:
            return self._policy.per_receiver
        if receiver.unanswered < self._policy.patience:
            return self._policy.per_receiver - receiver.in_flight
        return 1 if receiver.in_flight == 0 and receiver.paused_until <= now else 0
