"""Keeps runs with thousands of tasks from taking the scheduler's time from all others (Airflow 3.3.2).

In each turn of its loop, the scheduler examines every task of every running run: half a second for ten thousand tasks,
in which no other job advances. Here, a run that takes long to examine is left alone for nine times as long, and the
runs of one type wait for each other, so one type takes at most a tenth of the scheduler's time. Tasks that are ready
are sent all the same, and results are stored; only what depends on them is delayed by some seconds.

`tests/security/test_fair_executor.py` fails when the function that is replaced here changes.
"""

import time
from datetime import UTC, datetime
from typing import Any

# Seconds of CPU time, which a busy machine does not lengthen. A run of some dozen tasks takes less.
LONG = 0.05
# How many times as long as the examination took the run is left alone.
_PAUSE = 9
# Ended runs are not removed one by one; the whole set is cleared at this size.
_MOST = 10_000


class Pace:
    """Decides which runs are examined now; not thread-safe."""

    def __init__(self) -> None:
        self._long: set[tuple[str, str]] = set()
        self._next: dict[str, float] = {}

    def due(self, dag_id: str, run_id: str, now: float) -> bool:
        """Return whether a run is to be examined at `now`, a time of the monotonic clock."""
        return (dag_id, run_id) not in self._long or now >= self._next.get(dag_id, now)

    def took(self, dag_id: str, run_id: str, seconds: float, now: float) -> None:
        """Record how long an examination took that ended at `now`."""
        if len(self._long) > _MOST:
            self._long.clear()
        if seconds < LONG:
            self._long.discard((dag_id, run_id))
            return
        self._long.add((dag_id, run_id))
        self._next[dag_id] = now + seconds * _PAUSE


def keep_pace() -> None:
    """Make the scheduler of this process examine long runs less often; calling it again changes nothing."""
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    examine = SchedulerJobRunner._schedule_dag_run
    if getattr(examine, "keeps_pace", False):
        return
    pace = Pace()

    def paced(self: Any, dag_run: Any, session: Any) -> Any:
        if not pace.due(dag_run.dag_id, dag_run.run_id, time.monotonic()):
            # It goes to the end of the order in which runs are examined.
            dag_run.last_scheduling_decision = datetime.now(UTC)
            return None
        started = time.thread_time()
        try:
            return examine(self, dag_run, session)
        finally:
            pace.took(dag_run.dag_id, dag_run.run_id, time.thread_time() - started, time.monotonic())

    paced.keeps_pace = True  # type: ignore[attr-defined]
    SchedulerJobRunner._schedule_dag_run = paced  # type: ignore[method-assign]
