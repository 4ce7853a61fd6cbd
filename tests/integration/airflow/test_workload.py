"""Airflow's message to an agent has the form that we read, and its sending goes by our router (contract tests)."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from sqlalchemy import select
from starlette.testclient import TestClient
from support import api_environment as environment
from support.redis_server import redis_server

from coinrequest.airflow.workload import Workload, read_workload


@pytest.fixture
def job_type(op: TestClient, name: str) -> str:
    assert op.post("/jobs/v1/job-types", json=environment.definition(name, priority=150)).status_code == 201
    return name


def message(name: str, run_id: str, weight: int | None = None) -> Any:
    """What the scheduler makes of the task of a run."""
    from airflow.executors.workloads import ExecuteTask
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        task = session.scalars(select(TaskInstance).filter_by(dag_id=name, run_id=run_id)).one()
        if weight is not None:
            task.priority_weight = weight
        made = ExecuteTask.make(task)
        session.rollback()
    return made


def test_the_task_is_read_from_airflows_own_text(op: TestClient, job_type: str) -> None:
    job = op.post(f"/jobs/v1/job-types/{job_type}/jobs", json={}).json()["id"]
    text = message(job_type, job).model_dump_json()
    found = read_workload([text])
    assert found is not None
    assert found == Workload(job_type, job, "wait", None, found.attempt, 150)


@pytest.fixture
def broker(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the Redis to which Airflow's executor sends."""
    with redis_server() as socket:
        monkeypatch.setenv("AIRFLOW__CELERY__BROKER_URL", f"redis+socket://{socket}")
        monkeypatch.setenv("AIRFLOW__CELERY__RESULT_BACKEND", f"redis+socket://{socket}")
        with redis.Redis(unix_socket_path=socket, decode_responses=True) as client:
            yield client


def test_airflows_executor_sends_by_our_router(op: TestClient, job_type: str, broker: Any) -> None:
    from airflow.providers.celery.executors import celery_executor_utils as provider

    job = op.post(f"/jobs/v1/job-types/{job_type}/jobs", json={}).json()["id"]
    provider._get_celery_app_for_workload.cache_clear()
    try:
        for weight in (1, 5, 50, 150):
            work = message(job_type, job, weight)
            _key, _args, result = provider.send_workload_to_executor((work.key, work, "default", None))
            assert not isinstance(result, provider.ExceptionWithTraceback), result.traceback
    finally:
        provider._get_celery_app_for_workload.cache_clear()
    # The lists of Celery's Redis transport: the plain one is served first.
    separator = "\x06\x16"
    lengths = {key: broker.llen(key) for key in broker.keys("default*")}
    assert lengths == {"default": 1, **{f"default{separator}{place}": 1 for place in (3, 6, 9)}}
    assert '"priority": 0' in broker.lrange("default", 0, 0)[0]


def test_an_agent_runs_no_other_workload_than_a_task(tmp_path: Any) -> None:
    """The message that calls any function, as Airflow itself would run it."""
    from uuid import uuid4

    from airflow.executors.workloads import ExecuteCallback
    from airflow.executors.workloads.callback import CallbackDTO
    from airflow.providers.celery.executors import celery_executor_utils as provider

    from coinrequest.worker import workloads

    made = tmp_path / "made"
    callback = CallbackDTO(
        id=str(uuid4()), fetch_method="import_path", data={"path": "os.mkdir", "kwargs": {"path": str(made)}}
    )
    fields = {
        "callback": callback,
        "dag_rel_path": "x.py",
        "bundle_info": {"name": "dags"},
        "token": "x",
        "log_path": None,
    }
    text = ExecuteCallback.model_validate(fields).model_dump_json()
    with pytest.raises(workloads.WorkloadRefused, match="not 'ExecuteCallback'"):
        provider.execute_workload.run(text)
    for other in ('{"type": "TestConnection"}', "[]", "{}"):
        with pytest.raises(workloads.WorkloadRefused):
            provider.execute_workload.run(other)
    assert not made.exists()
