"""Decides which of the waiting tasks goes to the agents next.

Bands of priorities come first. Within a band, the type that holds the fewest slots is next. No type may hold all slots
of a queue: the more it holds, the more must stay free for the others, as in a switch that shares its buffer by a
dynamic threshold (Choudhury and Hahne, 1998). Several greedy types leave slots free too, so a type that holds none
never waits for another type's long task to end.
"""

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Generic, TypeVar

from coinrequest.airflow.executor.routing import band

K = TypeVar("K", bound=Hashable)

# Slots of one queue that one type holds: the name of the queue, the name of the type.
Holder = tuple[str, str]


def may_hold_more(held: int, free: int, share: int) -> bool:
    """Return whether a type may take one more slot of a queue.

    Args:
        held: how many slots it holds.
        free: how many slots are free.
        share: the percentage of all slots that a type may hold while it is the only one; 100: all.
    """
    if free < 1:
        return False
    return held == 0 or share >= 100 or (held + 1) * (100 - share) <= share * (free - 1)


class FairQueue(Generic[K]):
    """Waiting tasks, by queue and type; not thread-safe.

    Args:
        share: as in `may_hold_more`.
    """

    def __init__(self, share: int) -> None:
        self._share = share
        self._order = itertools.count()
        # The tasks of each queue and type: the largest weight first, then the oldest.
        self._waiting: dict[str, dict[str, list[tuple[int, int, K]]]] = defaultdict(lambda: defaultdict(list))
        # If all else is equal, the type that was served earlier goes first.
        self._served: dict[Holder, int] = {}

    def add(self, key: K, *, queue: str, job_type: str, weight: int) -> None:
        """Add a task."""
        heapq.heappush(self._waiting[queue][job_type], (-weight, next(self._order), key))

    def take(
        self, slots: Mapping[str, int], held: Mapping[Holder, int], limit: int, waits: Callable[[K], bool]
    ) -> list[K]:
        """Remove and return the tasks to send now, the most urgent first.

        Args:
            slots: how many tasks the agents of each queue can run at once; a missing queue has none.
            held: how many slots each type holds already.
            limit: the largest number of tasks.
            waits: whether a task still waits; the others are dropped.
        """
        taken: list[tuple[int, int, K]] = []
        for queue in list(self._waiting):
            holding = Counter({job_type: count for (name, job_type), count in held.items() if name == queue})
            free = slots.get(queue, 0) - holding.total()
            while free > 0 and len(taken) < limit:
                job_type = self._next(queue, holding, free, waits)
                if job_type is None:
                    break
                weight, order, key = heapq.heappop(self._waiting[queue][job_type])
                taken.append((weight, order, key))
                self._served[queue, job_type] = next(self._order)
                holding[job_type] += 1
                free -= 1
        return [key for _, _, key in sorted(taken)]

    def queues(self, waits: Callable[[K], bool]) -> set[str]:
        """Return the queues that have a waiting task."""
        return {queue for queue in list(self._waiting) if next(self._heads(queue, waits), None) is not None}

    def _next(self, queue: str, holding: Mapping[str, int], free: int, waits: Callable[[K], bool]) -> str | None:
        return min(
            (
                (band(weight), holding[job_type], self._served.get((queue, job_type), -1), job_type)
                for job_type, weight in self._heads(queue, waits)
                if may_hold_more(holding[job_type], free, self._share)
            ),
            default=(0, 0, 0, None),
        )[-1]

    def _heads(self, queue: str, waits: Callable[[K], bool]) -> Iterator[tuple[str, int]]:
        """Yield each type with its largest weight; drop tasks that no longer wait, and types without tasks."""
        waiting = self._waiting[queue]
        for job_type in list(waiting):
            tasks = waiting[job_type]
            while tasks and not waits(tasks[0][2]):
                heapq.heappop(tasks)
            if tasks:
                yield job_type, -tasks[0][0]
            else:
                del waiting[job_type]
                self._served.pop((queue, job_type), None)
        if not waiting:
            self._waiting.pop(queue, None)
