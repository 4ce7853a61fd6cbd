"""Watches the loop of the DAG processor from outside.

The loop begins each turn with a heartbeat (`airflow/dag_processing/manager.py`, `_run_parsing_loop`), which writes the
time into the table `job`. With `[scheduler] job_heartbeat_sec = 0` it does so at every turn instead of every 5 s. The
probe reads that column 20 times per second; the times themselves are the DAG processor's own. An idle loop waits a
second at each turn, so a gap of 1 s is no blockage, and a gap of 2 s is at least 1 s of work.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from benchmarks.measure import summary
from benchmarks.stacks import database
from coinrequest.stack import Stack

_QUERY = "SELECT max(latest_heartbeat) FROM job WHERE job_type = 'DagProcessorJob' AND state = 'running'"


class LoopProbe:
    """The turns of the loop that were seen."""

    def __init__(self) -> None:
        self._turns: set[float] = set()
        self._began = self._ended = 0.0

    def report(self) -> dict[str, Any]:
        """Return the number of turns and what is to be said about the gaps between them, in seconds."""
        turns = sorted(self._turns | {self._ended} if self._turns else {self._began, self._ended})
        gaps = [later - earlier for earlier, later in pairwise(turns)]
        return {
            "seconds": round(self._ended - self._began, 1),
            "turns": len(self._turns),
            "over_2_s": sum(gap > 2 for gap in gaps),
            "gaps": summary(gaps),
        }

    def watch(self, cursor: Any, stopping: threading.Event) -> None:
        """Note each turn until `stopping` is set."""
        self._began = time.time()
        while not stopping.wait(0.05):
            cursor.execute(_QUERY)
            ((beat,),) = cursor.fetchall()
            if isinstance(beat, datetime):
                self._turns.add(beat.astimezone(UTC).timestamp())
        self._ended = time.time()


@contextmanager
def watched_loop(stack: Stack) -> Iterator[LoopProbe]:
    """Watch the loop of the DAG processor for the length of a block."""
    probe, stopping = LoopProbe(), threading.Event()
    with database(stack) as cursor:
        thread = threading.Thread(target=probe.watch, args=(cursor, stopping), daemon=True)
        thread.start()
        try:
            yield probe
        finally:
            stopping.set()
            thread.join(10)
