"""Exponential backoff with jitter, for everything that tries again after a failure."""

import random
from dataclasses import dataclass, field

# Every limit is reached long before, and more doublings would overflow a float.
_MOST_DOUBLINGS = 30


@dataclass
class Backoff:
    """Delays between attempts: they double with each failure, up to a limit, and each is shortened at random.

    The randomness keeps clients that failed together from returning together:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

    Attributes:
        first: seconds to wait after the first failure.
        longest: the longest delay in seconds.
        jitter: the largest share of a delay that is taken off at random, from 0 (none) to 1 ("full jitter").
    """

    first: float = 0.2
    longest: float = 10.0
    jitter: float = 0.5
    _failures: int = field(default=0, init=False)

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after a number of failures in a row; 0 before the first one."""
        if failures < 1:
            return 0.0
        doubled = self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return min(doubled, self.longest) * random.uniform(1 - self.jitter, 1)  # noqa: S311 - not a secret

    def next(self) -> float:
        """Count another failure, and return the seconds to wait after it."""
        self._failures += 1
        return self.delay(self._failures)

    def reset(self) -> None:
        """Start over after a success."""
        self._failures = 0
