"""The runs of submitted jobs are the same as those that Airflow's own function creates."""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from support import api_environment as environment

pytestmark = pytest.mark.usefixtures("airflow_app")

# What differs from run to run by its nature.
_OWN = {"id", "run_id", "queued_at", "run_after", "updated_at", "created_at", "dttm", "submitted_at", "context_carrier"}


@pytest.fixture
def job_type(op: Any, name: str) -> str:
    tasks = [
        {"id": "first", "action": "integer.wait", "inputs": {"value": "{{ params.value }}"}},
        {
            "id": "each",
            "action": "integer.wait",
            "inputs": {"value": "{{ item }}"},
            "for_each": [0, 0, 0],
            "depends_on": ["first"],
        },
        {
            "id": "late",
            "action": "integer.wait",
            "inputs": {"value": "{{ item }}"},
            "for_each": "{{ params.items }}",
            "depends_on": ["each"],
        },
    ]
    params = {
        "type": "object",
        "properties": {
            "value": {"type": "integer", "minimum": 0},
            "items": {"type": "array", "items": {"type": "integer"}, "default": [0]},
        },
        "required": ["value"],
    }
    answer = op.post("/jobs/v1/job-types", json={"name": name, "params": params, "tasks": tasks})
    assert answer.status_code == 201, answer.text
    return name


def _order(job_type: str, params: dict[str, Any], **fields: Any) -> Any:
    from coinrequest.jobs.submission import Order, Submission

    return Order(uuid.uuid4(), job_type, Submission(params, **fields))


def _submit_all(orders: Sequence[Any]) -> list[Any]:
    from airflow.utils.session import create_session

    from coinrequest.jobs.submission import submit_all

    with create_session(scoped=False) as session:
        return submit_all(session, orders, user="channel", origin="channel")


def _rows(table: str, key: str, run_id: str) -> list[dict[str, Any]]:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        found = session.execute(text(f'SELECT * FROM "{table}" WHERE {key} = :run_id'), {"run_id": run_id})  # noqa: S608 - names of tables
        rows = [{name: value for name, value in row._mapping.items() if name not in _OWN} for row in found]
    return sorted(rows, key=str)


def _submit(order: Any) -> Any:
    from airflow.utils.session import create_session

    from coinrequest.jobs.submission import submit

    with create_session(scoped=False) as session:
        return submit(session, order.job_type, order.submission, user="channel", origin="channel", job_id=order.job_id)


@pytest.mark.parametrize("table", ["dag_run", "task_instance", "log", "coinrequest_job"])
@pytest.mark.parametrize("priority", [None, 50])
def test_one_job_and_a_batch_have_the_rows_that_airflow_writes(
    job_type: str, table: str, priority: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coinrequest.airflow import bulk_runs

    by_airflow, single, *batch = (
        _order(job_type, {"value": 1}, priority=priority, labels={"team": "a"}) for _ in range(5)
    )
    with monkeypatch.context() as patch:
        patch.setattr(bulk_runs, "is_possible", lambda: False)
        patch.setattr(bulk_runs, "create_all", None)
        assert _submit(by_airflow).created
    assert bulk_runs.is_possible()
    assert _submit(single).created
    assert all(outcome.created for outcome in _submit_all(batch))
    expected = _rows(table, "run_id", str(by_airflow.job_id))
    assert expected
    for order in (single, *batch):
        assert _rows(table, "run_id", str(order.job_id)) == expected


def test_a_refused_order_leaves_the_others(job_type: str) -> None:
    good, bad, unknown = (
        _order(job_type, {"value": 1}),
        _order(job_type, {"value": -1}),
        _order("no-such-type", {}),
    )
    outcomes = _submit_all([bad, good, unknown])
    assert [outcome.order for outcome in outcomes] == [bad, good, unknown]
    assert [outcome.created for outcome in outcomes] == [False, True, False]
    assert "params.value" in str(outcomes[0].refusal)
    assert "no-such-type" in str(outcomes[2].refusal)
    assert not _rows("dag_run", "run_id", str(bad.job_id))


def test_an_id_that_comes_twice_is_one_job(job_type: str) -> None:
    order = _order(job_type, {"value": 0})
    assert [outcome.created for outcome in _submit_all([order, order])] == [True, False]
    (again,) = _submit_all([order])
    assert not again.created
    assert again.refusal is None
    assert len(_rows("dag_run", "run_id", str(order.job_id))) == 1


def test_a_paused_type_takes_nothing(op: Any, job_type: str) -> None:
    assert op.post(f"/jobs/v1/job-types/{job_type}/pause").status_code == 200
    before = environment.contents()
    (outcome,) = _submit_all([_order(job_type, {"value": 0})])
    assert "paused" in str(outcome.refusal)
    assert environment.contents() == before


def test_a_hook_of_the_installation_sees_every_task_instance(job_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow import settings

    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(
        settings, "task_instance_mutation_hook", lambda task, dag_run=None: seen.append((task.run_id, task.task_id))
    )
    orders = [_order(job_type, {"value": 1}) for _ in range(2)]
    assert all(outcome.created for outcome in _submit_all(orders))
    for order in orders:
        assert {task for run, task in seen if run == str(order.job_id)} == {"first", "each", "late.items", "late"}


def test_hundreds_go_into_one_transaction(job_type: str) -> None:
    orders = [_order(job_type, {"value": number}) for number in range(250)]
    assert all(outcome.created for outcome in _submit_all(orders))
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        count = session.execute(
            text("SELECT count(*) FROM coinrequest_job WHERE job_type = :name AND state = 'queued'"), {"name": job_type}
        ).scalar_one()
    assert count == 250
