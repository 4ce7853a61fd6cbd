"""A job that does not run says what it waits for."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import Sql, definition

from coinrequest.airflow.celery_pool import Agent, AgentsUnreachable
from coinrequest.single_flight import SingleFlight

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"


@pytest.fixture
def scheduler(sql: Sql) -> Iterator[None]:
    """A scheduler that has just reported."""
    sql("INSERT INTO job (job_type, state, latest_heartbeat, hostname) VALUES ('SchedulerJob', 'running', now(), 'h')")
    yield
    sql("DELETE FROM job WHERE job_type = 'SchedulerJob' AND hostname = 'h'")


@pytest.fixture
def agents(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the agents that reply."""
    from coinrequest.api.routes import agents as route

    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")

    def reply(*found: Agent, error: Exception | None = None) -> None:
        def look() -> list[Agent]:
            if error is not None:
                raise error
            return list(found)

        monkeypatch.setattr(route, "inspection", SingleFlight(look, keep=60, name="test"))

    return reply


def agent(*queues: str, trouble: str | None = None) -> Agent:
    return Agent("one@host-a", "host-a", queues, 4, datetime(2026, 1, 1, tzinfo=UTC), 0, (), trouble)


def start(op: TestClient, name: str, submission: dict[str, Any] | None = None, **fields: Any) -> str:
    document = definition(name)
    document["tasks"][0] |= fields.pop("task", {})
    assert op.post(TYPES, json={**document, **fields}).status_code == 201
    return submit(op, name, **(submission or {}))


def submit(op: TestClient, name: str, **body: Any) -> str:
    answer = op.post(f"{TYPES}/{name}/jobs", json=body)
    assert answer.status_code == 202, answer.text
    job: str = answer.json()["id"]
    assert op.get(f"{JOBS}/{job}").json()["waiting_for"] == answer.json()["waiting_for"]
    return job


def waits(op: TestClient, job: str) -> tuple[str, str]:
    found = op.get(f"{JOBS}/{job}").json()["waiting_for"]
    assert found is not None
    return found["kind"], found["message"]


def put_into(sql: Sql, job: str, state: str, **columns: str) -> None:
    """Put the task of a job into a state; the columns are SQL expressions."""
    sql("UPDATE dag_run SET state = 'running', start_date = now() WHERE run_id = :job", job=job)
    columns = {"queued_dttm": "now() - interval '1 minute'", **columns}
    values = ", ".join(f"{name} = {value}" for name, value in columns.items())
    sql(f"UPDATE task_instance SET state = :state, {values} WHERE run_id = :job", job=job, state=state)  # noqa: S608


def test_no_scheduler(op: TestClient, name: str) -> None:
    kind, message = waits(op, start(op, name))
    assert kind == "scheduler"
    assert message.startswith("a scheduler: none is running")


@pytest.mark.usefixtures("scheduler")
def test_a_job_that_is_started_next_waits_for_the_scheduler(op: TestClient, name: str) -> None:
    assert waits(op, start(op, name)) == ("scheduler", "the scheduler, which starts it next")


@pytest.mark.usefixtures("scheduler")
def test_an_earliest_start(op: TestClient, name: str) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    job = start(op, name, {"run_after": later.isoformat()})
    assert waits(op, job) == ("run_after", f"its earliest start, {later.isoformat().replace('+00:00', 'Z')}")


@pytest.mark.usefixtures("scheduler")
def test_a_paused_type_holds_queued_jobs_and_the_next_tasks_of_running_ones(
    op: TestClient, name: str, sql: Sql
) -> None:
    job = start(op, name)
    assert op.post(f"{TYPES}/{name}/pause").status_code == 200
    paused = ("paused", f"its job type, which is paused: POST /jobs/v1/job-types/{name}/resume")
    assert waits(op, job) == paused
    put_into(sql, job, "scheduled")
    assert waits(op, job) == paused


@pytest.mark.usefixtures("scheduler")
def test_the_limit_of_jobs_of_the_type(op: TestClient, name: str, sql: Sql) -> None:
    first = start(op, name, concurrency={"max_jobs": 1})
    second, third = submit(op, name), submit(op, name)
    sql("UPDATE dag_run SET state = 'running', start_date = now() WHERE run_id = :job", job=first)
    limit = "other jobs of its type: 1 is running, and at most 1 may run at once (concurrency.max_jobs)"
    assert waits(op, second) == ("max_jobs", limit)
    assert waits(op, third) == ("max_jobs", f"{limit}; 1 job of the type is ahead of it")


@pytest.mark.usefixtures("scheduler")
@pytest.mark.parametrize("overlap", ["skip", "queue", "allow"])
def test_a_running_job_of_the_schedule_holds_no_other(op: TestClient, name: str, sql: Sql, overlap: str) -> None:
    """A time that waits for that job has no job of its own yet."""
    first = start(op, name, schedule={"every": "1h", "overlap": overlap})
    second = submit(op, name)
    sql("UPDATE dag_run SET state = 'running', run_type = 'scheduled' WHERE run_id = :job", job=first)
    assert waits(op, second) == ("scheduler", "the scheduler, which starts it next")


@pytest.mark.usefixtures("scheduler")
def test_a_queue_without_agents(op: TestClient, name: str, sql: Sql, agents: Callable[..., None]) -> None:
    agents(agent("default"))
    job = start(op, name, task={"queue": "nobody"})
    put_into(sql, job, "queued")
    kind, message = waits(op, job)
    assert kind == "queue"
    assert message == (
        "an agent of the queue 'nobody', which none serves; an administrator starts one with --queues nobody"
    )
    assert op.get(f"{JOBS}/{job}").json()["waiting_for"]["task"] == "wait"


@pytest.mark.usefixtures("scheduler")
def test_busy_agents(op: TestClient, name: str, sql: Sql, agents: Callable[..., None]) -> None:
    agents(agent("busy"))
    jobs = [start(op, f"{name}-{number}", task={"queue": "busy"}) for number in range(6)]
    for job in jobs[:4]:
        put_into(sql, job, "running")
    put_into(sql, jobs[4], "queued", queued_dttm="now() - interval '2 minutes'")
    put_into(sql, jobs[5], "queued")
    slots = "a free slot of an agent: 4 of 4 slots of the agents of the queue 'busy' are taken"
    assert waits(op, jobs[4]) == ("agent", slots)
    assert waits(op, jobs[5]) == ("agent", f"{slots}; 1 task is ahead of it")
    assert op.get(f"{JOBS}/{jobs[0]}").json()["waiting_for"] is None
    for job in jobs:
        op.post(f"{JOBS}/{job}/cancel", json={})
    assert op.get(f"{JOBS}/{jobs[5]}").json()["waiting_for"] is None


@pytest.mark.usefixtures("scheduler")
def test_agents_that_take_no_tasks_and_a_broker_that_is_away(
    op: TestClient, name: str, sql: Sql, agents: Callable[..., None]
) -> None:
    agents(agent("default", trouble="its disk is full"))
    job = start(op, name)
    put_into(sql, job, "queued")
    assert waits(op, job) == ("agent", "the agents of the queue 'default', which take no tasks: its disk is full")
    agents(error=AgentsUnreachable("The broker refuses (OOM command not allowed)"))
    assert waits(op, job) == ("broker", "the broker of the agents: The broker refuses (OOM command not allowed)")


@pytest.mark.usefixtures("scheduler")
def test_pools(op: TestClient, name: str, sql: Sql) -> None:
    sql("INSERT INTO slot_pool (pool, slots, include_deferred) VALUES (:pool, 1, false)", pool=name)
    job, other = start(op, name, task={"pool": name}), start(op, f"{name}-2", task={"pool": name})
    put_into(sql, other, "running")
    put_into(sql, job, "scheduled")
    assert waits(op, job) == ("pool", f"a free slot of the pool {name!r}: 1 of 1 are taken")
    sql("DELETE FROM slot_pool WHERE pool = :pool", pool=name)
    assert waits(op, job) == ("pool", f"the pool {name!r}, which does not exist; create it under Admin, Pools")


@pytest.mark.usefixtures("scheduler")
def test_a_retry_names_its_time_and_the_last_failure(op: TestClient, name: str, sql: Sql) -> None:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    job = start(op, name, task={"retries": {"max": 2, "delay": "10m"}})
    put_into(sql, job, "up_for_retry", try_number="1", max_tries="2", end_date="'2030-01-01T12:00:00Z'")
    with create_session(scoped=False) as session:
        place = {"dag_id": name, "run_id": job, "task_id": "wait", "map_index": -1}
        XComModel.set(key="coinrequest_failure", value={"text": "no rate", "attempt": 1}, session=session, **place)
    assert waits(op, job) == (
        "retry",
        "attempt 2 of 3 of its task 'wait' at 2030-01-01T12:10:00Z, because attempt 1 failed: no rate",
    )


@pytest.mark.usefixtures("scheduler")
def test_of_several_tasks_that_are_tried_again_one_is_described(op: TestClient, name: str, sql: Sql) -> None:
    wait = {"action": "integer.wait", "inputs": {"value": 0}}
    tasks = [{"id": one, **wait, "retries": {"max": 2, "delay": delay}} for one, delay in (("a", "5m"), ("b", "10m"))]
    assert op.post(TYPES, json={"name": name, "tasks": tasks}).status_code == 201
    job = submit(op, name)
    put_into(sql, job, "up_for_retry", try_number="1", max_tries="2", end_date="'2030-01-01T12:30:00Z'")
    sql(
        "UPDATE task_instance SET try_number = 2, end_date = '2030-01-01T12:00:00Z'"
        " WHERE run_id = :job AND task_id = 'b'",
        job=job,
    )
    found = op.get(f"{JOBS}/{job}").json()["waiting_for"]
    assert found["task"] == "b"
    assert found["message"].startswith(
        "attempt 3 of 3 of its task 'b' at 2030-01-01T12:10:00Z, because attempt 2 failed: "
    )
