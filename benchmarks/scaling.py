"""What target tracking makes of a load: a model of AWS's rules, minute by minute.

Source: Amazon EC2 Auto Scaling's documentation of target tracking, and the alarms that it creates: it adds instances
after three minutes above the target, as many as the target needs; it takes some away after 15 minutes below nine tenths
of the target, never so many that the rest would be above it; an instance that is warming up counts as capacity that is
already on its way, and not in the measured average.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

HIGH_MINUTES = 3
LOW_MINUTES = 15
LOW_SHARE = 0.9


@dataclass(frozen=True)
class Policy:
    """A group that follows a target.

    Attributes:
        target: what each instance is to have of the load: requests a minute, or tasks.
        minimum, maximum: instances.
        warm_up: minutes from an instance's launch until it serves.
    """

    target: float
    minimum: int
    maximum: int
    warm_up: int


@dataclass(frozen=True)
class Minute:
    """One minute of a simulation.

    Attributes:
        load: of the whole group.
        serving: instances in service.
        launched: instances in service or warming up; what is paid for.
    """

    load: float
    serving: int
    launched: int

    @property
    def for_each(self) -> float:
        """The load of one instance in service."""
        return self.load / self.serving


def simulate(policy: Policy, loads: Sequence[float]) -> list[Minute]:
    """Return each minute of a load, beginning with the group at its minimum.

    Args:
        policy: the group.
        loads: the load of the whole group in each minute.
    """
    serving, warming = policy.minimum, []  # type: int, list[int]
    high = low = 0
    minutes = []
    for now, load in enumerate(loads):
        serving += sum(1 for ready in warming if ready <= now)
        warming = [ready for ready in warming if ready > now]
        minutes.append(Minute(load, serving, serving + len(warming)))
        each = load / serving
        high = high + 1 if each > policy.target else 0
        low = low + 1 if each < LOW_SHARE * policy.target else 0
        needed = min(max(math.ceil(load / policy.target), policy.minimum), policy.maximum)
        launched = serving + len(warming)
        if high >= HIGH_MINUTES and needed > launched:
            warming += [now + policy.warm_up] * (needed - launched)
        elif low >= LOW_MINUTES and not warming and needed < serving:
            serving, low = needed, 0
    return minutes
