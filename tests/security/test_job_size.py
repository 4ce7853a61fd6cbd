"""The number of tasks of a job is limited, wherever the items of its mapped tasks come from."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.expansion import MAX_JOB_TASKS, items_limit

pytestmark = pytest.mark.security

TYPES = "/jobs/v1/job-types"


def mapped(definition: dict[str, Any], tasks: int, for_each: Any, **fields: Any) -> dict[str, Any]:
    task = {"action": "integer.wait", "inputs": {"value": 0}, "for_each": for_each}
    return {**definition, "tasks": [{"id": f"t{number}", **task} for number in range(tasks)], **fields}


LIST = {"type": "object", "properties": {"urls": {"type": "array", "default": []}}}


@pytest.mark.usefixtures("tables_unchanged")
def test_a_hundred_tasks_of_a_thousand_items_are_refused(op: TestClient, definition: dict[str, Any]) -> None:
    answer = op.post(TYPES, json=mapped(definition, 100, [0] * 1000), headers={})
    assert answer.status_code in (413, 422)
    answer = op.post(TYPES, json=mapped(definition, 6, [0] * 1000))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "tasks"
    assert "6,000" in error["message"]
    assert "5,000" in error["message"]


def test_five_tasks_of_a_thousand_items_are_accepted(op: TestClient, definition: dict[str, Any]) -> None:
    assert op.post(f"{TYPES}?dry_run=true", json=mapped(definition, 5, [0] * 1000)).status_code == 200


def test_mapped_tasks_over_params_share_the_limit(op: TestClient, definition: dict[str, Any]) -> None:
    document = mapped(definition, 50, "{{ params.urls }}", params=LIST)
    limit = items_limit(parse_definition(document))
    assert limit == (MAX_JOB_TASKS - 50) // 50 == 99
    assert op.post(TYPES, json=document).status_code == 201
    jobs = f"{TYPES}/{document['name']}/jobs"
    answer = op.post(jobs, json={"params": {"urls": [0] * (limit + 1)}})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"params.urls"}
    assert op.post(jobs, json={"params": {"urls": [0] * limit}}).status_code == 202


def test_items_known_only_at_run_time_are_limited_by_the_task(definition: dict[str, Any]) -> None:
    from coinrequest.generator.dag import build_dag

    dag = build_dag(parse_definition(mapped(definition, 50, "{{ params.urls }}", params=LIST)), number=1)
    assert {dag.get_task(f"t{number}.items").limit for number in range(50)} == {99}


@pytest.mark.parametrize(("max_jobs", "tasks"), [(1, 64), (16, 64), (100, 10), (1000, 4)])
def test_a_type_that_allows_many_jobs_gets_fewer_tasks_for_each(
    definition: dict[str, Any], max_jobs: int, tasks: int
) -> None:
    from coinrequest.generator.dag import JOB_TASKS, TYPE_TASKS, build_dag

    dag = build_dag(parse_definition({**definition, "concurrency": {"max_jobs": max_jobs}}), number=1)
    assert dag.max_active_tasks == tasks <= JOB_TASKS
    assert max_jobs * tasks <= 4 * TYPE_TASKS
