"""Watches the loop of the DAG processor from outside.

The loop begins each turn with a heartbeat (`airflow/dag_processing/manager.py`, `_run_parsing_loop`), which writes the
time into the table `job`. With `[scheduler] job_heartbeat_sec = 0` it does so at every turn instead of every 5 s. The
probe reads that column 20 times per second; the times themselves are the DAG processor's own. An idle loop waits a
second at each turn, so a gap of 1 s is no blockage, and a gap of 2 s is at least 1 s of work.
"""

import threading
import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import psycopg2

from benchmarks.measure import summary

_QUERY = """
SELECT max(latest_heartbeat) FROM job WHERE job_type = 'DagProcessorJob' AND state = 'running'
"""


class LoopProbe:
    """Notes each turn of the loop between `start` and `stop`.

    Args:
        url: the metadata database.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._turns: list[float] = []
        self._began = 0.0
        self._ended = 0.0

    def start(self) -> None:
        """Begin to watch."""
        self._began = time.time()
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopping.set()
        self._thread.join(10)
        self._ended = time.time()
        self._connection.close()

    def report(self) -> dict[str, Any]:
        """Return the number of turns and what is to be said about the gaps between them, in seconds."""
        turns = sorted({*self._turns, self._ended} if self._turns else {self._began, self._ended})
        gaps = [later - earlier for earlier, later in pairwise(turns)]
        return {
            "seconds": round(self._ended - self._began, 1),
            "turns": len(self._turns),
            "over_2_s": sum(gap > 2 for gap in gaps),
            "gaps": summary(gaps),
        }

    def _watch(self) -> None:
        last = None
        with self._connection.cursor() as cursor:
            while not self._stopping.wait(0.05):
                cursor.execute(_QUERY)
                ((beat,),) = cursor.fetchall()
                if isinstance(beat, datetime) and beat != last:
                    last = beat
                    self._turns.append(beat.astimezone(UTC).timestamp())
