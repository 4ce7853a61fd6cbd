"""Rate limits and retry budgets of the hosts of price sources."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from coinrequest.prices.token_bucket import TokenBucket

CONNECTIONS = 10


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`per_second` requests on average, and `burst` requests at once."""

    per_second: float
    burst: float


# The documented limits for callers without a key. The sources count by IP address, which other processes may share; if
# the limit is exceeded all the same, they respond with 429.
PUBLISHED: Mapping[str, RateLimit] = {
    # 10,000 an hour: https://docs.cdp.coinbase.com/coinbase-app/api-architecture/rate-limiting
    "api.coinbase.com": RateLimit(2.5, 10),
    # One a second is always allowed: https://support.kraken.com/articles/206548367-what-are-the-api-rate-limits-
    # The counter of a caller goes up to 15: https://docs.kraken.com/api/docs/guides/spot-rest-ratelimits
    "api.kraken.com": RateLimit(1, 10),
    # 400 a second and 10,000 in ten minutes: https://www.bitstamp.net/api/#section/What-is-API
    "www.bitstamp.net": RateLimit(16, 50),
    # Without a key it depends on the address and the load: https://docs.coingecko.com/docs/errors-and-rate-limits
    # Ten a minute is a cautious guess.
    "api.coingecko.com": RateLimit(1 / 6, 5),
}
UNKNOWN_HOST = RateLimit(10, 20)

# The retry budget of a host: one retry for each five requests, ten retries in reserve, and six more a minute. Without
# it, a failing host would get three times the load.
# https://sre.google/sre-book/addressing-cascading-failures/#xref_cascading-failure_retries
RETRY_SHARE = 0.2
RETRY_RESERVE = RateLimit(0.1, 10)


class HostLimits:
    """The limits of a host, shared by all requests to it.

    Attributes:
        requests: one token for each request.
        retries: one token for each retry.
        connections: one slot for each concurrent request.
    """

    def __init__(self, hostname: str, clock: Callable[[], float]) -> None:
        limit = PUBLISHED.get(hostname, UNKNOWN_HOST)
        self.requests = TokenBucket(limit.per_second, limit.burst, clock)
        self.retries = TokenBucket(RETRY_RESERVE.per_second, RETRY_RESERVE.burst, clock)
        self.connections = threading.BoundedSemaphore(CONNECTIONS)
