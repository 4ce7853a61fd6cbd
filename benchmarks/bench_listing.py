"""Lists of jobs, and the metrics, when a million jobs are kept; beside them Airflow's own list of the same runs."""

import time
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from benchmarks import listing_data
from benchmarks.client import Client
from benchmarks.context import Context
from benchmarks.filling import fill
from benchmarks.job_types import name_of
from benchmarks.measure import brief, say, summary
from benchmarks.processes import run_module
from benchmarks.stacks import database, wait_until_quiet
from coinrequest.api import cursors
from coinrequest.stack import Stack

PAGE = 50
_DEEP = 1000
_WARM_UP = 2
_PATIENCE = 15.0
_POSITION = "SELECT submitted_at, id FROM coinrequest_job ORDER BY submitted_at DESC, id DESC OFFSET %s LIMIT 1"


def run(context: Context) -> None:
    """Fill the database, ask for each list again and again, and explain how it was answered."""
    fill(context.stacks, listing_data.TYPES)
    stack = context.stacks.ours()
    wait_until_quiet(stack)
    with database(stack) as cursor:
        say(f"writing {context.rows} jobs")
        began = time.monotonic()
        listing_data.fill(cursor, context.rows)
        context.results.put("listing", jobs=context.rows, filled=round(time.monotonic() - began, 1))
        say(f"{context.rows} jobs after {time.monotonic() - began:.0f} s")
        cursor.execute(_POSITION, (min(_DEEP * PAGE, context.rows // 2) - 1,))
        ((submitted_at, job_id),) = cursor.fetchall()
    client = Client.of(stack)
    cases = _cases((submitted_at.isoformat(), str(job_id)))
    measured = {}
    for name, case in cases.items():
        measured[name] = _measure(client, case["path"], context.samples)
        if "gave_up" in measured[name]:
            say(f"{name}: {measured[name]['gave_up']}")
        else:
            say(f"{name}: {brief(measured[name])}")
        context.results.put("listing", lists=measured)
    context.results.put("listing", plans=_plans(stack, cases))
    # No other part is to be measured beside a million jobs.
    context.stacks.fresh("ours")


def _cases(position: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Return what is asked, by its name on the page: the path, and what `benchmarks.plans` needs to know."""
    end = datetime.fromisoformat(position[0])
    begin = end - timedelta(hours=1)
    queries = {
        "the newest": {},
        "of one type": {"type": name_of(7)},
        "failed": {"state": "failed"},
        "failed, of one type": {"type": name_of(7), "state": "failed"},
        "with a label that half of them have": {"label": listing_data.COMMON_LABEL},
        f"with a label that {listing_data.RARE_JOBS} have": {"label": listing_data.RARE_LABEL},
        "of one submitter": {"submitted_by": "user-7"},
        "of one hour": {"since": begin.isoformat(), "until": end.isoformat()},
    }
    jobs, runs = f"/jobs/v1/jobs?limit={PAGE}", f"/api/v2/dags/~/dagRuns?limit={PAGE}&order_by=-run_after"
    cases: dict[str, dict[str, Any]] = {
        name: {"path": f"{jobs}&{urlencode(query)}", "what": "page", "query": query} for name, query in queries.items()
    }
    cursor = urlencode({"cursor": cursors.encode(*position)})
    cases[f"page {_DEEP + 1:,}, by its cursor"] = {"path": f"{jobs}&{cursor}", "what": "page", "before": position}
    for offset in (0, 1000):
        path = f"/jobs/v1/get_jobs?limit=10&offset={offset}"
        cases[f"`get_jobs`, offset {offset:,}"] = {"path": path, "what": "get_jobs", "offset": offset}
    cases["`/jobs/metrics`"] = {"path": "/jobs/metrics", "what": "metrics"}
    cases["Airflow's runs, the newest"] = {"path": runs}
    cases["Airflow's runs, the newest, with its cursor"] = {"path": f"{runs}&cursor="}
    cases["Airflow's runs, failed"] = {"path": f"{runs}&state=failed"}
    return cases


def _measure(client: Client, path: str, samples: int) -> dict[str, Any]:
    """Ask one after the other; a list that takes many seconds is asked fewer times."""
    seconds: list[float] = []
    try:
        for number in range(_WARM_UP + samples):
            began = time.monotonic()
            answer = client.send("GET", path)
            seconds.append(time.monotonic() - began)
            if answer.status_code != 200:
                return {"gave_up": f"{answer.status_code}: {answer.text[:200]}"}
            if number >= _WARM_UP + 2 and sum(seconds) > _PATIENCE:
                break
    except OSError as error:
        return {"gave_up": type(error).__name__}
    return summary(seconds[_WARM_UP:])


def _plans(stack: Stack, cases: dict[str, dict[str, Any]]) -> Any:
    asked = {name: case for name, case in cases.items() if "what" in case}
    environment = stack.environment("api-server") | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    return run_module("plans", environment=environment, given=asked, timeout=180)
