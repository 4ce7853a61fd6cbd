"""Backfills and their dry runs have limits."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.airflow_runs import BEYOND, FIRST, LAST, TYPES, backfill, jobs_of
from support.api_environment import definition as small

pytestmark = [pytest.mark.security, pytest.mark.usefixtures("airflow_app")]


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"to_date": LAST}, "to_date"),
        ({"to_date": "2199-01-01T00:00:00Z"}, "to_date"),
        ({"from_date": FIRST}, "from_date"),
        ({"to_date": BEYOND[0]}, "to_date"),
        ({"from_date": BEYOND[1]}, "from_date"),
    ],
)
def test_a_backfill_with_times_out_of_range_is_refused(
    user: TestClient, hourly: str, fields: dict[str, Any], said: str, dry: bool
) -> None:
    answer = backfill(user, hourly, dry=dry, **fields)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"]
    assert "must be between 1970" in answer.json()["detail"]
    assert jobs_of(user, hourly) == []


@pytest.mark.parametrize("dry", [True, False])
def test_a_backfill_of_very_many_runs_is_refused_at_once(user: TestClient, minutely: str, dry: bool) -> None:
    began = time.perf_counter()
    answer = backfill(user, minutely, dry=dry, from_date="1970-01-01T00:00:00Z")
    took = time.perf_counter() - began
    assert answer.status_code == 422, answer.text
    assert "more than 1,000 runs" in answer.json()["detail"]
    assert "from_date and to_date" in answer.json()["detail"]
    assert jobs_of(user, minutely) == []
    assert took < 3


def test_a_dry_run_may_have_a_thousand_runs(user: TestClient, minutely: str) -> None:
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=2)
    within = {"from_date": start.isoformat(), "to_date": (start + timedelta(minutes=999)).isoformat()}
    answer = backfill(user, minutely, dry=True, **within)
    assert answer.status_code == 200, answer.text
    assert answer.json()["total_entries"] == 1000
    beyond = {**within, "to_date": (start + timedelta(minutes=1000)).isoformat()}
    assert backfill(user, minutely, dry=True, **beyond).status_code == 422


@pytest.mark.parametrize("active", [0, -5, 4, 100])
def test_a_backfill_may_not_exceed_the_concurrency_of_its_type(op: TestClient, name: str, active: int) -> None:
    document = small(name, schedule={"cron": "0 * * * *"}, concurrency={"max_jobs": 3})
    assert op.post(TYPES, json=document).status_code == 201
    answer = backfill(op, name, max_active_runs=active)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"] == "max_active_runs must be between 1 and 3, the type's concurrency.max_jobs"
    assert jobs_of(op, name) == []
    assert backfill(op, name, max_active_runs=3).status_code == 200


def test_airflow_creates_backfills_in_one_function() -> None:
    """Both routes call the function that the limits wrap."""
    import inspect

    from airflow.models import backfill as airflows

    for route in (airflows._do_dry_run, airflows._create_backfill):
        assert "_get_info_list(" in inspect.getsource(route)
    assert list(inspect.signature(airflows._get_info_list).parameters) == ["from_date", "to_date", "reverse", "dag"]


def test_backfills_of_a_hand_written_dag_have_the_same_limits(op: TestClient, hand_written: str) -> None:
    for fields in ({"max_active_runs": 0}, {"max_active_runs": 101}, {"from_date": "1970-01-01T00:00:00Z"}):
        answer = backfill(op, hand_written, **fields)
        assert answer.status_code == 422, answer.text
    assert backfill(op, hand_written, max_active_runs=100).status_code == 200
