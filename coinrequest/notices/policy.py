"""How often, how long and how many at a time: the numbers of the delivery of notices."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from coinrequest.backoff import Backoff

# How long a notice is tried, counted from its creation or from the request to deliver it again.
LIFETIME = timedelta(hours=24)


@dataclass(frozen=True)
class Policy:
    """Numbers that a test may want smaller.

    Attributes:
        first_delay: until the second attempt; it doubles with each further one.
        longest_delay: and never becomes longer.
        jitter: the share of a delay that chance may take off, so that failed notices do not return together.
        lease: how long a claimed notice belongs to its dispatcher; longer than any attempt may take.
        threads: attempts at the same time.
        per_receiver: of them, to the same receiver.
        patience: how many attempts in a row a receiver may leave without an answer; after that, it gets one at a
            time.
        longest_pause: the longest pause before each of those.
        connect_seconds: until the connection to a webhook stands.
        webhook_seconds: for everything from name resolution to the end of the answer.
        apprise_seconds: for all Apprise URLs of a connection; each gets its share.
        poll_seconds: between two looks for notices that are due, where nobody wakes the dispatcher.
    """

    first_delay: timedelta = timedelta(seconds=1)
    longest_delay: timedelta = timedelta(hours=1)
    jitter: float = 0.2
    lease: timedelta = timedelta(seconds=60)
    threads: int = 64
    per_receiver: int = 4
    patience: int = 3
    longest_pause: timedelta = timedelta(seconds=30)
    connect_seconds: float = 5.0
    webhook_seconds: float = 15.0
    apprise_seconds: float = 20.0
    poll_seconds: float = 1.0

    def next_attempt(self, attempts: int, now: datetime, give_up_at: datetime, wish: datetime | None) -> datetime:
        """Return when to try again after `attempts` failures, never later than `give_up_at`.

        Args:
            wish: before which the receiver wants no other attempt (`Retry-After`).
        """
        backoff = Backoff(self.first_delay.total_seconds(), self.longest_delay.total_seconds(), self.jitter)
        delay = timedelta(seconds=backoff.delay(attempts))
        return min(max(now + delay, wish or now), give_up_at)
