"""Params are checked against the type's schema before a run exists."""

from typing import Any

import pytest
from support.client import API
from support.documents import job_type, new_name, params, wait_task
from support.platform import Platform


@pytest.fixture(scope="module")
def typed(platform: Platform) -> str:
    name = new_name("typed")
    schema = params(
        value={"type": "integer", "minimum": 0, "maximum": 5},
        colour={"type": "string", "enum": ["red", "green"], "default": "red"},
    )
    platform.register(job_type(name, wait_task(value="{{ params.value }}"), params=schema))
    return name


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "params"),
        ({"value": "1"}, "params.value"),
        ({"value": 6}, "params.value"),
        ({"value": True}, "params.value"),
        ({"value": 1, "colour": "blue"}, "params.colour"),
        ({"value": 1, "size": 3}, "params"),
    ],
)
def test_wrong_params_make_no_run(platform: Platform, typed: str, given: dict[str, Any], field: str) -> None:
    answer = platform.client("user").post(f"{API}/job-types/{typed}/jobs", json={"params": given})
    assert answer.status_code == 422, answer.text
    assert any(error["field"].startswith(field) for error in answer.json()["errors"]), answer.text
    runs = platform.airflow(f"/dags/{typed}/dagRuns?limit=100")["dag_runs"]
    assert given not in [run["conf"] for run in runs]


def test_airflows_own_trigger_checks_them_too(platform: Platform, typed: str) -> None:
    answer = platform.client("admin").post(
        f"/api/v2/dags/{typed}/dagRuns", json={"logical_date": None, "conf": {"value": 6}}
    )
    assert 400 <= answer.status_code < 500, answer.text


def test_defaults_are_filled_in(platform: Platform, typed: str) -> None:
    job = platform.run(typed, {"value": 0})
    assert job["params"] == {"value": 0, "colour": "red"}
