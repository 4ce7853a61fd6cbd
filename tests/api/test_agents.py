"""Listing the agents and the tasks that they run."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from support import api_environment as environment
from support.api_environment import Clients

from coinrequest.airflow.celery_pool import Agent, AgentsUnreachable, Running
from coinrequest.airflow.workload import Workload
from coinrequest.single_flight import SingleFlight

URL = "/jobs/v1/agents"
STARTED = datetime(2026, 1, 1, 12, tzinfo=UTC)

Installed = Callable[..., None]


@pytest.fixture
def look(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Set the result of an inspection of the agents."""
    from coinrequest.api.routes import agents

    def install(look: Callable[[], list[Agent]], keep: float = 0) -> None:
        monkeypatch.setattr(agents, "inspection", SingleFlight(look, keep=keep, name="test"))

    return install


def agent(*running: Running, name: str = "one@host-a") -> Agent:
    return Agent(name, name.rpartition("@")[2], ("default",), 4, STARTED, 17, running)


def running(dag_id: str, run_id: str, map_index: int | None = None) -> Running:
    return Running(Workload(dag_id, run_id, "wait", map_index, 1, 1), STARTED + timedelta(minutes=1))


def test_a_running_task_has_its_job(op: TestClient, name: str, look: Installed) -> None:
    assert op.post("/jobs/v1/job-types", json=environment.definition(name)).status_code == 201
    job = op.post(f"/jobs/v1/job-types/{name}/jobs", json={}).json()["id"]
    look(lambda: [agent(running(name, job, map_index=3), name="one@host-a"), agent(name="two@host-b")])
    first, second = op.get(URL).json()["agents"]
    assert first == {
        "name": "one@host-a",
        "host": "host-a",
        "queues": ["default"],
        "concurrency": 4,
        "started_at": "2026-01-01T12:00:00Z",
        "processed": 17,
        "trouble": None,
        "actions": None,
        "running": [
            {
                "job": job,
                "job_type": name,
                "dag_id": name,
                "run_id": job,
                "task": "wait",
                "map_index": 3,
                "attempt": 1,
                "since": "2026-01-01T12:01:00Z",
            }
        ],
    }
    assert (second["host"], second["running"]) == ("host-b", [])


def test_a_task_of_another_dag_has_no_job(op: TestClient, look: Installed) -> None:
    look(lambda: [agent(running("coinrequest_maintenance", "scheduled__1"), Running(None, None))])
    task, unreadable = op.get(URL).json()["agents"][0]["running"]
    assert (task["job"], task["job_type"]) == (None, None)
    assert (task["dag_id"], task["run_id"], task["task"]) == ("coinrequest_maintenance", "scheduled__1", "wait")
    assert set(unreadable.values()) == {None}


def test_no_agents_is_an_empty_list(op: TestClient, look: Installed) -> None:
    look(list)
    assert op.get(URL).json() == {"agents": []}


def test_an_unreachable_broker_is_a_problem_with_its_reason(op: TestClient, look: Installed) -> None:
    def fail() -> list[Agent]:
        raise AgentsUnreachable("The broker does not respond (ConnectionRefusedError)")

    look(fail)
    answer = op.get(URL)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "broker does not respond" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0


def test_without_a_broker_the_answer_names_the_setting(op: TestClient) -> None:
    answer = op.get(URL)
    assert answer.status_code == 503
    assert "AIRFLOW__CELERY__BROKER_URL" in answer.json()["detail"]


@pytest.fixture
def hanging(look: Installed, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from coinrequest.api.routes import agents

    go_on = threading.Event()

    def hang() -> list[Agent]:
        go_on.wait(30)
        return []

    monkeypatch.setattr(agents, "_TIME_LIMIT", 0.2)
    look(hang)
    yield
    go_on.set()


def test_a_broker_that_hangs_blocks_no_other_request(op: TestClient, hanging: None) -> None:
    started = time.monotonic()
    assert op.get(URL).status_code == 503
    assert op.get("/jobs/v1/jobs").status_code == 200
    assert time.monotonic() - started < 10


def test_many_callers_share_one_inspection(op: TestClient, look: Installed) -> None:
    inspections: list[int] = []

    def count() -> list[Agent]:
        inspections.append(1)
        return [agent()]

    look(count, keep=60)
    with ThreadPoolExecutor(5) as callers:
        answers = list(callers.map(lambda _: op.get(URL).status_code, range(5)))
    assert answers == [200] * 5
    assert inspections == [1]


@pytest.mark.parametrize(("role", "status"), [(None, 401), ("Viewer", 200), ("User", 200), ("Op", 200), ("Admin", 200)])
def test_readers_may_list_agents(client_of: Clients, look: Installed, role: str | None, status: int) -> None:
    look(list)
    assert client_of(role).get(URL).status_code == status
