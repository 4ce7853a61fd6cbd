"""The DAG processor after a restart: how long the first parse of everything takes, and what it does to the loop.

What the registration of many types does to the loop is measured while the types are registered (`bench_register`).
"""

import time
from datetime import UTC, datetime

import psycopg2

from benchmarks.context import Context
from benchmarks.measure import GaveUp, say, wait_for
from benchmarks.stacks import database_url, fill, wait_until_quiet, watched_loop

_NOT_PARSED = """
SELECT count(*), coalesce(max(last_parsed_time), now()) FROM dag
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
    connection = psycopg2.connect(database_url(stack))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:

            def all_parsed() -> bool:
                cursor.execute(_NOT_PARSED, (restarted,))
                return int(cursor.fetchone()[0]) == 0

            restarted = datetime.now(UTC)
            began = time.monotonic()
            stack.restart("dag-processor")
            works = time.monotonic() - began
            with watched_loop(stack) as probe:
                try:
                    wait_for("the first parse", all_parsed, _TIMEOUT, 0.5)
                except GaveUp as error:
                    context.results.put("loop", types=count, works=round(works, 2), gave_up=str(error))
                    raise
            cursor.execute(_LAST)
            parsed = cursor.fetchone()[0].timestamp() - restarted.timestamp()
    finally:
        connection.close()
    say(f"the DAG processor works {works:.1f} s after its restart, has parsed {count} types after {parsed:.1f} s")
    context.results.put(
        "loop", types=count, works=round(works, 2), first_parse=round(parsed, 2), after_restart=probe.report()
    )
