"""The page of defaults says what the code does: each row is compared."""

import configparser
import importlib.util
import os
import re
from inspect import signature
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from coinrequest import settings
from coinrequest.actions.container_run import ContainerRun
from coinrequest.actions.http_request import HttpRequest
from coinrequest.actions.sql_query import SqlQuery
from coinrequest.actions.url_test import UrlTestAction
from coinrequest.channel import topology
from coinrequest.durations import format_duration
from coinrequest.jobs.callback import Callback
from coinrequest.jobtypes.definition import DEFAULT_MAX_JOBS, parse_definition
from coinrequest.jobtypes.grammar import Definition, Retries, Task
from coinrequest.jobtypes.params import check_params
from coinrequest.notices.policy import LIFETIME
from coinrequest.stack.options import DEFAULT_AGENTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "defaults.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (?!what |---)(.+?) \| (.+?) \| .+ \|$", PAGE, re.MULTILINE))
REMEDIES = dict(re.findall(r"^\| (?!what |---)(.+?) \| .+? \| (.+) \|$", PAGE, re.MULTILINE))

DEFINITION = parse_definition(
    {
        "name": "plain",
        "schedule": {"cron": "0 8 * * *"},
        "tasks": [
            {"id": "slow", "action": "integer.wait", "inputs": {"value": 9}},
            {"id": "last", "action": "integer.wait", "inputs": {"value": 0}},
        ],
    }
)


def default(model: Any, field: str) -> Any:
    return model.model_fields[field].default


def largest(model: Any, field: str) -> float:
    return next(part.le for part in model.model_fields[field].metadata if hasattr(part, "le"))


def airflow(section: str, key: str) -> str:
    """Return the value of an option: that of config/airflow.cfg, or else Airflow's default."""
    own = configparser.ConfigParser(interpolation=None)
    own.read(ROOT / "config" / "airflow.cfg")
    if own.has_option(section, key):
        return own[section][key]
    package = importlib.util.find_spec("airflow")
    assert package is not None
    assert package.submodule_search_locations
    options = Path(package.submodule_search_locations[0]) / "config_templates" / "config.yml"
    return str(yaml.safe_load(options.read_text())[section]["options"][key]["default"])


OPEN = parse_definition(
    {
        "name": "open",
        "params": {"properties": {"known": {}}},
        "tasks": [{"id": "wait", "action": "integer.wait", "inputs": {"value": 0}}],
    }
)


def expected() -> dict[str, str]:
    """Return what each row has to begin with."""
    from coinrequest.api.routes.jobs import list_jobs, read_job

    schedule: Any = DEFINITION.schedule
    again = Retries(max=1)
    newest = f"the newest {topology.LONGEST_QUEUE}"
    return {
        "time limit of a task": "none" if default(Task, "timeout") is None else "some",
        "time limit of a job": "none" if default(Definition, "timeout") is None else "some",
        "retries of a task": "0"
        if default(Task, "retries") is None and airflow("core", "default_task_retries") == "0"
        else "",
        "delay between retries": f"{format_duration(again.delay)}, each the same" if again.backoff == "fixed" else "",
        "jobs of a type at once": str(DEFAULT_MAX_JOBS),
        "a scheduled job is due while one runs": f"`{schedule.overlap}`",
        "runs that were missed while the type was paused": "made up for" if schedule.catch_up else "not made up for",
        "time zone of `cron`": schedule.timezone,
        "result of a job": "that of the last task in the list" if DEFINITION.result == "last" else "",
        "priority": str(DEFINITION.priority),
        "who is told when a job ends": "nobody" if DEFINITION.notify == () else "",
        "time limit of `http.request`": f"{default(HttpRequest.Inputs, 'timeout'):g} s",
        "time limit of `url.test`": f"{default(UrlTestAction.Inputs, 'timeout'):g} s for each attempt",
        "attempts of `url.test`": str(default(UrlTestAction.Inputs, "attempts")),
        "a `url.test` that does not pass": "the task fails"
        if default(UrlTestAction.Inputs, "must_pass")
        else "the task is a success",
        "statuses that `http.request` accepts": "below 400"
        if default(HttpRequest.Inputs, "expected_status") is None
        else "",
        "time limit of `sql.query`": f"{default(SqlQuery.Inputs, 'timeout'):g} s",
        "rows of `sql.query`": str(default(SqlQuery.Inputs, "row_limit")),
        "time limit of `container.run`": f"{default(ContainerRun.Inputs, 'timeout'):g} s",
        "source of prices": f"{', '.join(settings.price_sources())} alone",
        "life of a sign-in token": f"{int(airflow('api_auth', 'jwt_expiration_time')) // 3600} h",
        "memory of an idempotency key": f"{settings.key_lifetime().total_seconds() / 3600:g} h",
        "a callback": f"for {' and '.join({'success': 'successes', 'failure': 'failures'}[one] for one in Callback('https://x').on)}",
        "tasks that an agent runs at once": airflow("celery", "worker_concurrency"),
        "agents of the embedded stack": str(DEFAULT_AGENTS),
        "tasks of one job at once": airflow("core", "max_active_tasks_per_dag"),
        "slots that one type may fill": f"{settings.type_share()} % of a queue",
        "jobs and results are kept for": f"{settings.job_retention().days} d",
        "results on the channel are kept for": f"{topology.RESULT_LIFETIME_SECONDS // 3600} h, {newest}",
        "a notice is tried for": f"{LIFETIME.total_seconds() / 3600:g} h",
        "the task of a dead agent is found after": f"{airflow('scheduler', 'task_instance_heartbeat_timeout')} s",
        "queues that a definition may name": "any" if settings.queues() == () else "",
        "extra fields of `params`": "accepted" if check_params(OPEN, {"other": 1}) == {"other": 1} else "",
        "private addresses, such as `10.0.0.1`": "refused" if settings.allowed_networks() == () else "",
        "jobs on a page": str(signature(list_jobs).parameters["limit"].default),
        "`GET jobs/{id}`": "answers at once" if signature(read_job).parameters["wait"].default == 0 else "",
    }


# Shown by tests/api/test_job_types.py and tests/api/test_idempotency.py.
ELSEWHERE = {"numbers of revisions", "the same submission twice"}


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("COINREQUEST_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_says_what_the_code_does(row: str) -> None:
    if row in ELSEWHERE:
        return
    found = expected()[row]
    assert found, "the code does something else now"
    assert re.match(rf"{re.escape(found)}(?![\w.])", ROWS[row])


def test_every_default_is_on_the_page() -> None:
    assert set(ROWS) == expected().keys() | ELSEWHERE
    assert len(ROWS) > 30


@pytest.mark.parametrize(
    ("row", "model", "field"),
    [
        ("time limit of `http.request`", HttpRequest.Inputs, "timeout"),
        ("time limit of `sql.query`", SqlQuery.Inputs, "timeout"),
        ("priority", Definition, "priority"),
    ],
)
def test_the_largest_value_is_that_of_the_code(row: str, model: Any, field: str) -> None:
    assert re.search(rf"\b{largest(model, field):g}$", REMEDIES[row])


def test_the_largest_page_and_wait_are_those_of_the_code() -> None:
    from coinrequest.api.parameters import Limit
    from coinrequest.api.routes.jobs import read_job

    assert f"at most {get_args(Limit)[1].metadata[1].le};" in REMEDIES["jobs on a page"]
    assert (
        f"at most {get_args(signature(read_job).parameters['wait'].annotation)[1].metadata[1].le} s"
        in (REMEDIES["`GET jobs/{id}`"])
    )
