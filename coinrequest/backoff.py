"""Waiting longer after each failure, up to a bound."""

import random
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Times to wait, in seconds: doubled with each failure, up to `longest`, each shortened by chance by up to a half.

    So many who wait for the same server do not all come at once.
    """

    first: float = 0.2
    longest: float = 10.0
    _next: float = field(default=0.0, init=False)

    def next(self) -> float:
        """Return how long to wait now."""
        self._next = min(self._next * 2, self.longest) if self._next else self.first
        return self._next * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._next = 0.0
