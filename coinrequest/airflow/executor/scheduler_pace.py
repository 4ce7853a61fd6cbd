"""Keeps runs of very many tasks from taking the scheduler's time from all others (Airflow 3.3.2).

In each turn of its loop the scheduler looks at every task of every running run: half a second for ten thousand of them,
in which no other job gets further. A run whose look takes long is not looked at again until nine times as long has
passed, and the runs of one type wait for each other: so one type takes a tenth of the scheduler's time. Tasks that may
run are handed out all the same, and so is every result stored; only what follows from them waits for some seconds.

`tests/security/test_fair_executor.py` fails when what is replaced here changes.
"""

import time
from datetime import UTC, datetime
from typing import Any

# Seconds of a processor, which a busy machine does not lengthen. Looks at runs of some dozen tasks take less.
LONG = 0.05
# So many times as long as it took.
_PAUSE = 9
# A run that ended is forgotten with the others once there are so many.
_MOST = 10_000


class Pace:
    """Says which runs are to be looked at; for one thread."""

    def __init__(self) -> None:
        self._long: set[tuple[str, str]] = set()
        self._next: dict[str, float] = {}

    def due(self, dag_id: str, run_id: str, now: float) -> bool:
        """Say whether a run is to be looked at now (by the monotonic clock)."""
        return (dag_id, run_id) not in self._long or now >= self._next.get(dag_id, now)

    def took(self, dag_id: str, run_id: str, seconds: float, now: float) -> None:
        """Note how long a look took that ended now."""
        if len(self._long) > _MOST:
            self._long.clear()
        if seconds < LONG:
            self._long.discard((dag_id, run_id))
            return
        self._long.add((dag_id, run_id))
        self._next[dag_id] = now + seconds * _PAUSE


def keep_pace() -> None:
    """Let the scheduler of this process look at long runs less often; calling it again changes nothing."""
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    look = SchedulerJobRunner._schedule_dag_run
    if getattr(look, "keeps_pace", False):
        return
    pace = Pace()

    def paced(self: Any, dag_run: Any, session: Any) -> Any:
        if not pace.due(dag_run.dag_id, dag_run.run_id, time.monotonic()):
            # Behind all others in the order in which runs are looked at.
            dag_run.last_scheduling_decision = datetime.now(UTC)
            return None
        began = time.thread_time()
        try:
            return look(self, dag_run, session)
        finally:
            pace.took(dag_run.dag_id, dag_run.run_id, time.thread_time() - began, time.monotonic())

    paced.keeps_pace = True  # type: ignore[attr-defined]
    SchedulerJobRunner._schedule_dag_run = paced  # type: ignore[method-assign]
