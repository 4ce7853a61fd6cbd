"""How often a host may be asked by this process, and how often again after a failure."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from coinrequest.prices.token_bucket import TokenBucket

CONNECTIONS = 10


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`per_second` requests in the long run, `burst` of them at once."""

    per_second: float
    burst: float


# What the sources document for callers without a key. They count by address, and other processes may share it: what
# they refuse all the same, they refuse with 429.
PUBLISHED: Mapping[str, RateLimit] = {
    # 10,000 an hour: https://docs.cdp.coinbase.com/coinbase-app/api-architecture/rate-limiting
    "api.coinbase.com": RateLimit(2.5, 10),
    # One a second is always allowed: https://support.kraken.com/articles/206548367-what-are-the-api-rate-limits-
    # Its counter for callers has room for 15: https://docs.kraken.com/api/docs/guides/spot-rest-ratelimits
    "api.kraken.com": RateLimit(1, 10),
    # 400 a second and 10,000 in ten minutes: https://www.bitstamp.net/api/#section/What-is-API
    "www.bitstamp.net": RateLimit(16, 50),
    # Without a key by address and by load, no number: https://docs.coingecko.com/docs/errors-and-rate-limits
    # Ten a minute is a guess on the safe side.
    "api.coingecko.com": RateLimit(1 / 6, 5),
}
UNKNOWN_HOST = RateLimit(10, 20)

# A host that fails is asked again for one question in five, and for the first ten failures; a minute later for six
# more. Without such a budget each failure would be answered with three times the load.
# https://sre.google/sre-book/addressing-cascading-failures/#xref_cascading-failure_retries
RETRY_SHARE = 0.2
RETRY_RESERVE = RateLimit(0.1, 10)


class HostLimits:
    """What all calls to one host share.

    Attributes:
        turns: a token for each request.
        retries: a token for each request that repeats another.
        connections: a slot for each request that is under way.
    """

    def __init__(self, hostname: str, clock: Callable[[], float]) -> None:
        limit = PUBLISHED.get(hostname, UNKNOWN_HOST)
        self.turns = TokenBucket(limit.per_second, limit.burst, clock)
        self.retries = TokenBucket(RETRY_RESERVE.per_second, RETRY_RESERVE.burst, clock)
        self.connections = threading.BoundedSemaphore(CONNECTIONS)
