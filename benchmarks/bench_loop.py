"""The DAG processor after a restart: how long the first parse of everything takes, and what it does to the loop.

What the registration of many types does to the loop is measured while the types are registered (`bench_register`).
"""

import time
from datetime import UTC, datetime

from benchmarks.context import Context
from benchmarks.filling import fill
from benchmarks.measure import say, wait_for
from benchmarks.probe import watched_loop
from benchmarks.stacks import database, wait_until_quiet

_NOT_PARSED = """
SELECT count(*) FROM dag
 WHERE NOT is_stale AND bundle_name = 'job_types' AND last_parsed_time < %s
"""
_LAST = "SELECT max(last_parsed_time) FROM dag WHERE NOT is_stale AND bundle_name = 'job_types'"
_TIMEOUT = 300.0


def run(context: Context) -> None:
    """Restart the DAG processor with the largest number of types and wait until each was parsed."""
    count = max(context.types)
    filled = fill(context.stacks, count)
    stack = context.stacks.ours()
    if filled:
        context.results.put("loop", fill=filled)
    wait_until_quiet(stack)
    with database(stack) as cursor:

        def all_parsed() -> bool:
            cursor.execute(_NOT_PARSED, (restarted,))
            return int(cursor.fetchone()[0]) == 0

        restarted = datetime.now(UTC)
        began = time.monotonic()
        stack.restart("dag-processor")
        works = time.monotonic() - began
        context.results.put("loop", types=count, works=round(works, 2))
        with watched_loop(stack) as probe:
            wait_for("the first parse", all_parsed, _TIMEOUT, 0.5)
        cursor.execute(_LAST)
        parsed = cursor.fetchone()[0].timestamp() - restarted.timestamp()
    say(f"the DAG processor works {works:.1f} s after its restart, has parsed {count} types after {parsed:.1f} s")
    context.results.put("loop", first_parse=round(parsed, 2), after_restart=probe.report())
