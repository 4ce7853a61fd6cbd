"""The policy of deliveries: how often, for how long, and how many at a time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from coinrequest.backoff import Backoff

# How long delivery is attempted, from the notice's creation or from the request to deliver it again.
LIFETIME = timedelta(hours=24)


@dataclass(frozen=True)
class Policy:
    """Delays and limits; tests use smaller ones.

    Attributes:
        first_delay: between the first and the second attempt; it doubles with each further one.
        longest_delay: the largest delay.
        jitter: the largest share that is randomly taken off a delay, so that retries spread out.
        lease: how long a claimed notice belongs to its dispatcher; longer than any attempt takes.
        threads: attempts at the same time.
        per_receiver: attempts at the same time to one receiver.
        patience: successive attempts that a receiver may leave unanswered before it gets one notice at a time.
        longest_pause: the largest pause before each of those.
        connect_seconds: time limit of connecting to a webhook.
        webhook_seconds: time limit from name resolution to the end of the response.
        apprise_seconds: time limit for all Apprise URLs of a connection, which share it equally.
        poll_seconds: between two checks for due notices, unless the dispatcher is woken.
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
            wish: the earliest time at which the receiver wants another attempt (`Retry-After`).
        """
        backoff = Backoff(self.first_delay.total_seconds(), self.longest_delay.total_seconds(), self.jitter)
        delay = timedelta(seconds=backoff.delay(attempts))
        return min(max(now + delay, wish or now), give_up_at)
