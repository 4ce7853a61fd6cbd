"""How PostgreSQL answers what the service asks it: `python -m benchmarks.plans`, with the web server's environment.

Reads a JSON object with the cases from its input, makes the service's own calls, and explains what they sent to the
database. Prints the plan of each case: of its statement that took longest.
"""

import json
import re
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from benchmarks.measure import print_result

_LINES = 12


def explain(cases: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return for each case the milliseconds of its longest statement, and the first lines of its plan."""
    from airflow.utils.session import create_session

    plans = {}
    for name, asked in cases.items():
        with create_session() as session:
            call = _call(session, asked)
            with _statements(session) as statements:
                call()
            cursor = session.connection().connection.cursor()
            found = [_explained(cursor, statement, values) for statement, values in statements]
            plans[name] = max(found, key=lambda plan: plan["ms"])
    return plans


def _call(session: Any, asked: dict[str, Any]) -> Callable[[], Any]:
    from datetime import datetime
    from uuid import UUID

    from coinrequest.jobs import listing, url_tests
    from coinrequest.metrics import snapshot

    if asked["what"] == "metrics":
        return lambda: snapshot.retained(session)
    if asked["what"] == "get_jobs":
        return lambda: url_tests.done(session, limit=10, offset=asked["offset"])
    before = None
    if "before" in asked:
        submitted_at, job_id = asked["before"]
        before = datetime.fromisoformat(submitted_at), UUID(job_id)
    filters = listing.Filters(**_filters(asked.get("query", {})))
    return lambda: listing.page(session, filters, before=before, limit=51)


def _filters(asked: dict[str, str]) -> dict[str, Any]:
    """Return the service's filters for the parameters of a request."""
    from datetime import datetime

    filters: dict[str, Any] = dict(asked)
    for name, several in (("type", "job_types"), ("state", "states"), ("submitted_by", "submitters")):
        if name in filters:
            filters[several] = (filters.pop(name),)
    if "label" in filters:
        filters["labels"] = dict([filters.pop("label").split(":")])
    for name in {"since", "until", "ended_since", "ended_until"} & filters.keys():
        filters[name] = datetime.fromisoformat(filters[name])
    return filters


@contextmanager
def _statements(session: Any) -> Any:
    from sqlalchemy import event

    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            seen.append((statement, values))

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _explained(cursor: Any, statement: str, values: Any) -> dict[str, Any]:
    cursor.execute("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) " + statement, values)
    lines = [line for (line,) in cursor.fetchall()]
    took = next(line for line in reversed(lines) if line.startswith("Execution Time"))
    return {"ms": float(re.findall(r"[0-9.]+", took)[0]), "plan": _top(lines)}


def _top(lines: list[str]) -> list[str]:
    """Return the first lines that say how rows are found, without what the planner did."""
    body = lines[: next((index for index, line in enumerate(lines) if line.startswith("Planning")), len(lines))]
    return [line[:140] for line in body if not re.search(r"Index Searches:|Sort Key:|Hash Cond:|Cache Key:", line)][
        :_LINES
    ]


if __name__ == "__main__":
    print_result(explain(json.load(sys.stdin)))
