"""The executor with a real database, broker and agent: tasks that wait, are sent, get lost or are cancelled."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from support import api_environment as environment
from support.scheduling import Scheduling

pytestmark = pytest.mark.security

TYPES = "/jobs/v1/job-types"

Register = Callable[..., str]


@pytest.fixture
def register(op: TestClient, name: str) -> Register:
    """Register a type with one task that is mapped over this many items."""

    def make(suffix: str = "", items: int = 1, **fields: Any) -> str:
        document = environment.definition(name + suffix)
        document["tasks"][0] |= {"for_each": list(range(items)), **fields}
        answer = op.post(TYPES, json=document)
        assert answer.status_code == 201, answer.text
        return name + suffix

    return make


@pytest.fixture
def submit(op: TestClient) -> Iterator[Callable[[str], str]]:
    """Submit a job, and cancel it when the test has ended."""
    jobs: list[str] = []

    def start(name: str) -> str:
        jobs.append(op.post(f"{TYPES}/{name}/jobs", json={}).json()["id"])
        return jobs[-1]

    yield start
    for job in jobs:
        op.post(f"/jobs/v1/jobs/{job}/cancel", json={})


def test_a_queue_without_agents_does_not_block_others(
    scheduler: Scheduling, register: Register, submit: Callable[[str], str], op: TestClient
) -> None:
    greedy, small = register("-nobody", 600, queue="nobody"), register("-small")
    lost = [submit(greedy) for _ in range(9)]
    scheduler.until(lambda: scheduler.states(greedy).get("queued", 0) >= 512, "many tasks wait", timeout=60)
    submit(small)
    scheduler.until(lambda: any(sent.dag_id == small for sent in scheduler.executor._sent.values()), "small is sent")
    assert scheduler.waiting("nobody") == 0
    for job in lost:
        assert op.post(f"/jobs/v1/jobs/{job}/cancel", json={}).status_code == 200
    scheduler.until(lambda: not scheduler.executor.queued_tasks, "nothing waits", timeout=5)
    assert set(scheduler.states(greedy)) == {"skipped"}


def test_one_type_never_takes_all_slots(
    scheduler: Scheduling, register: Register, submit: Callable[[str], str]
) -> None:
    greedy, small = register("-greedy", 50), register("-small")
    submit(greedy)
    scheduler.until(lambda: scheduler.taken() == 3, "three of four slots are taken")
    for _ in range(5):
        scheduler.turn()
    assert (scheduler.taken(), scheduler.waiting("default")) == (3, 0)
    submit(small)
    scheduler.until(lambda: scheduler.taken() == 4, "the last slot is the other type's")
    assert [sent.dag_id for sent in scheduler.executor._sent.values()].count(small) == 1


def test_a_task_for_a_reserved_queue_fails_at_once_with_the_reason(
    scheduler: Scheduling, register: Register, submit: Callable[[str], str], airflow_app: Any
) -> None:
    """The definition was registered before the name was reserved."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    name = register()
    job = submit(name)
    with create_session(scoped=False) as session:
        session.execute(text("UPDATE task_instance SET queue = 'unacked' WHERE dag_id = :name"), {"name": name})
    scheduler.until(lambda: scheduler.states(name) == {"failed": 1}, "the task failed")
    assert scheduler.redis.exists("unacked") == 0
    with create_session(scoped=False) as session:
        query = text("SELECT extra FROM log WHERE run_id = :job AND event = 'state mismatch'")
        assert "'unacked' is reserved for the broker" in session.scalars(query, {"job": job}).one()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten intervals of half a minute to a second."""
    from coinrequest.airflow.executor import fair_executor

    for name, seconds in (("QUERY_EVERY", 0.1), ("INSPECT_EVERY", 0.3), ("RESULT_WITHIN", 0.3), ("START_WITHIN", 1.0)):
        monkeypatch.setattr(fair_executor, name, seconds)


@pytest.mark.usefixtures("hasty")
def test_cancelling_a_sent_task_removes_it_from_the_broker_and_frees_its_slot(
    scheduler: Scheduling, register: Register, submit: Callable[[str], str], op: TestClient
) -> None:
    scheduler.pause_agent()
    try:
        job = submit(register(items=2))
        scheduler.until(lambda: scheduler.waiting("default") == 2, "two tasks are sent, and not taken")
        op.post(f"/jobs/v1/jobs/{job}/cancel", json={})
        scheduler.until(lambda: not scheduler.executor.running, "their slots are free")
        scheduler.until(lambda: scheduler.waiting("default") == 0, "their messages are gone")
    finally:
        scheduler.agent.send_signal(18)  # type: ignore[union-attr]


@pytest.mark.usefixtures("hasty")
def test_tasks_taken_by_a_dead_agent_are_sent_again_and_waiting_ones_are_not(
    scheduler: Scheduling, register: Register, submit: Callable[[str], str], airflow_app: Any
) -> None:
    scheduler.renew_agent()
    name = register(items=3)
    submit(name)
    scheduler.until(lambda: scheduler.taken() == 3, "the agent has taken all three")
    before = {sent.message for sent in scheduler.executor._sent.values()}
    for _ in range(30):
        scheduler.turn()
    assert {sent.message for sent in scheduler.executor._sent.values()} == before, "a live agent keeps its tasks"
    scheduler.kill_agent()
    scheduler.until(lambda: len(scheduler.executor.queued_tasks) == 3, "they wait for another agent", timeout=30)
    assert scheduler.states(name) == {"queued": 3}
    scheduler.start_agent()
    scheduler.until(lambda: scheduler.taken() == 6, "the new agent has taken them", timeout=30)
    after = {sent.message for sent in scheduler.executor._sent.values()}
    assert not before & after


@pytest.mark.usefixtures("hasty")
def test_another_scheduler_adopts_sent_tasks_and_sends_the_others(
    scheduler: Scheduling, register: Register, submit: Callable[[str], str], airflow_app: Any
) -> None:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select, text

    scheduler.renew_agent()
    name = register(items=10)
    submit(name)
    scheduler.until(lambda: len(scheduler.executor.running) == 3, "some are sent")
    scheduler.until(lambda: scheduler.states(name) == {"queued": 10}, "and the others wait")
    sent = {one.message for one in scheduler.executor._sent.values()}
    executor, runner = scheduler.new_scheduler()
    with create_session(scoped=False) as session:
        tis = session.scalars(select(TaskInstance).where(TaskInstance.dag_id == name)).all()
        assert executor.try_adopt_task_instances(tis) == []
        session.execute(
            text("UPDATE task_instance SET queued_by_job_id = :job WHERE dag_id = :name"),
            {"job": executor.job_id, "name": name},
        )
    scheduler.executor, scheduler.runner = executor, runner
    scheduler.until(lambda: len(executor.running) == 3 and len(executor.queued_tasks) == 7, "seven wait", timeout=30)
    assert {one.message for one in executor._sent.values()} == sent


def test_no_key_of_the_broker_has_a_name_that_a_queue_can_have(scheduler: Scheduling) -> None:
    """Runs after the tests above, whose keys it reads."""
    import re

    from coinrequest import queues
    from coinrequest.jobtypes.grammar import QUEUE_PATTERN

    keys = {key.decode() for key in scheduler.redis.keys("*")}
    assert {"celery:unacked", "_kombu.binding.default"} <= keys
    assert [key for key in keys if re.fullmatch(QUEUE_PATTERN, key) and not queues.refusal(key)] in ([], ["default"])


def test_airflow_still_calls_the_overridden_methods_with_the_same_arguments() -> None:
    from airflow.executors.base_executor import BaseExecutor
    from airflow.executors.workloads import ExecuteTask
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.providers.celery.executors.celery_executor import CeleryExecutor

    def arguments(function: Any) -> list[str]:
        return list(inspect.signature(function).parameters)

    assert arguments(BaseExecutor._get_workloads_to_schedule) == ["self", "open_slots"]
    assert arguments(BaseExecutor.trigger_tasks) == ["self", "open_slots"]
    assert arguments(BaseExecutor.queue_workload) == ["self", "workload", "session"]
    assert arguments(CeleryExecutor._send_workloads) == ["self", "workload_tuples_to_send"]
    assert arguments(CeleryExecutor._send_workloads_to_celery) == ["self", "workload_tuples_to_send"]
    assert arguments(CeleryExecutor.try_adopt_task_instances) == ["self", "tis"]
    assert arguments(SchedulerJobRunner._schedule_dag_run) == ["self", "dag_run", "session"]
    assert arguments(ExecuteTask.generate_token) == ["sub_id", "generator"]
    source = inspect.getsource(SchedulerJobRunner)
    # Nothing but these asks what the executor holds: for tasks two places each, and one for what agents refuse anyway.
    assert source.count("executor.slots_available") == 2
    assert source.count("executor.slots_occupied") == 2
