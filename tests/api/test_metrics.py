"""Metrics for a monitoring system."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from sqlalchemy import text
from starlette.testclient import TestClient
from support import api_environment as environment
from support.api_environment import Clients

from coinrequest.jobs.job import Job
from coinrequest.metrics import counters
from coinrequest.single_flight import SingleFlight

URL = "/jobs/metrics"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

Value = Callable[..., float | None]


@pytest.fixture(autouse=True)
def count_each_time(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from coinrequest.api.routes import metrics

    monkeypatch.setattr(metrics, "_retained", SingleFlight(metrics._count_retained, keep=0, name="test"))


@pytest.fixture
def job_type(op: TestClient, name: str) -> str:
    assert op.post("/jobs/v1/job-types", json=environment.definition(name)).status_code == 201
    return name


@pytest.fixture
def database(airflow_app: Any) -> Iterator[Callable[..., None]]:
    """Execute statements; the rows of gateways and notices are deleted after the test."""
    from airflow.utils.session import create_session

    def execute(statement: str, **values: Any) -> None:
        with create_session(scoped=False) as session:
            session.execute(text(statement), values)

    yield execute
    for table in ("coinrequest_gateway", "coinrequest_notice", "coinrequest_completion"):
        execute(f"DELETE FROM {table}")  # noqa: S608 - names of tables


def read_metrics(client: TestClient) -> Value:
    """Read the metrics; return a function that returns the value of one by its name and labels."""
    answer = client.get(URL)
    assert answer.status_code == 200, answer.text
    samples = [sample for family in parse(answer.text) for sample in family.samples]

    def value(metric: str, **labels: str) -> float | None:
        return next((s.value for s in samples if s.name == metric and s.labels == labels), None)

    return value


def record(*jobs: Job) -> None:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        counters.record(session, jobs)


def ended(name: str, state: Any = "success", **times: Any) -> Job:
    return Job(
        id=uuid.uuid4(),
        job_type=name,
        revision=1,
        state=state,
        params={},
        submitted_by="user",
        submitted_at=NOON,
        **times,
    )


def test_jobs_are_counted_by_type_and_state(op: TestClient, job_type: str) -> None:
    jobs = [op.post(f"/jobs/v1/job-types/{job_type}/jobs", json={}).json()["id"] for _ in range(3)]
    environment.finish(job_type, jobs[0])
    environment.finish(job_type, jobs[1], state="failed")
    value = read_metrics(op)
    assert value("coinrequest_jobs", type=job_type, state="queued") == 1
    assert value("coinrequest_jobs", type=job_type, state="success") == 1
    assert value("coinrequest_jobs", type=job_type, state="failed") == 1
    assert value("coinrequest_jobs", type=job_type, state="running") is None


def test_the_longest_wait_leaves_out_jobs_that_are_not_due(
    op: TestClient, job_type: str, database: Callable[..., None]
) -> None:
    ids = [
        op.post(f"/jobs/v1/job-types/{job_type}/jobs", json=body).json()["id"]
        for body in ({}, {"run_after": f"{datetime.now(UTC) + timedelta(days=3000):%Y-%m-%dT%H:%M:%SZ}"})
    ]
    database(
        "UPDATE coinrequest_job SET submitted_at = now() - interval '50 h', run_after = now() - interval '40 h'"
        " WHERE id = :id",
        id=ids[0],
    )
    waited = read_metrics(op)("coinrequest_oldest_queued_job_seconds")
    assert waited == pytest.approx(40 * 3600, abs=120)


def test_counters_of_ended_jobs_never_shrink(op: TestClient, name: str) -> None:
    late = NOON + timedelta(hours=1)
    record(
        ended(name, started_at=NOON + timedelta(seconds=2), ended_at=NOON + timedelta(seconds=6)),
        ended(name, run_after=late, started_at=late + timedelta(seconds=0.1), ended_at=late + timedelta(seconds=0.4)),
        ended(name, state="cancelled", ended_at=NOON + timedelta(seconds=1)),
    )
    record(ended(name, started_at=NOON + timedelta(days=1), ended_at=NOON + timedelta(days=2)))
    value = read_metrics(op)
    assert value("coinrequest_jobs_completed_total", type=name, state="success") == 3
    assert value("coinrequest_jobs_completed_total", type=name, state="cancelled") == 1
    assert value("coinrequest_job_queue_seconds_bucket", type=name, le="0.25") == 1
    assert value("coinrequest_job_queue_seconds_bucket", type=name, le="2.5") == 2
    assert value("coinrequest_job_queue_seconds_bucket", type=name, le="+Inf") == 3
    assert value("coinrequest_job_queue_seconds_sum", type=name) == pytest.approx(86402.1)
    assert value("coinrequest_job_duration_seconds_bucket", type=name, le="0.5") == 1
    assert value("coinrequest_job_duration_seconds_bucket", type=name, le="5.0") == 2
    assert value("coinrequest_job_duration_seconds_count", type=name) == 3


def test_a_job_is_queued_until_an_agent_starts_it(op: TestClient, job_type: str, database: Callable[..., None]) -> None:
    from airflow.utils.session import create_session

    from coinrequest.jobs import query

    job_id = op.post(f"/jobs/v1/job-types/{job_type}/jobs", json={}).json()["id"]
    environment.finish(job_type, job_id)
    # The scheduler starts the run at noon and 1 s, an agent its task at 20 s; the job ends at 23 s.
    database("UPDATE task_instance SET start_date = :noon + interval '20 s' WHERE run_id = :id", noon=NOON, id=job_id)
    database(
        "UPDATE coinrequest_job SET submitted_at = :noon, run_after = :noon, started_at = :noon + interval '1 s',"
        " ended_at = :noon + interval '23 s' WHERE run_id = :id",
        noon=NOON,
        id=job_id,
    )
    with create_session(scoped=False) as session:
        counters.record(session, [query.find(session, uuid.UUID(job_id))])
    value = read_metrics(op)
    assert value("coinrequest_job_queue_seconds_sum", type=job_type) == 20
    assert value("coinrequest_job_duration_seconds_sum", type=job_type) == 3


def test_tasks_that_wait_for_an_agent(op: TestClient, job_type: str, database: Callable[..., None]) -> None:
    job_id = op.post(f"/jobs/v1/job-types/{job_type}/jobs", json={}).json()["id"]
    before = read_metrics(op)("coinrequest_tasks_waiting")
    assert before is not None
    database(
        "UPDATE task_instance SET state = 'queued', scheduled_dttm = now() - interval '90 h' WHERE run_id = :id",
        id=job_id,
    )
    value = read_metrics(op)
    assert value("coinrequest_tasks_waiting") == before + 1
    assert value("coinrequest_oldest_waiting_task_seconds") == pytest.approx(90 * 3600, abs=120)
    environment.finish(job_type, job_id)
    assert read_metrics(op)("coinrequest_tasks_waiting") == before


def test_tasks_that_need_agents_are_waiting_or_running(
    op: TestClient, job_type: str, database: Callable[..., None]
) -> None:
    """A pool that scales with the waiting tasks alone would shrink as soon as they all run."""
    job_id = op.post(f"/jobs/v1/job-types/{job_type}/jobs", json={}).json()["id"]
    before = read_metrics(op)
    active, waiting = before("coinrequest_tasks_active"), before("coinrequest_tasks_waiting")
    assert active is not None
    assert waiting is not None
    for state, waits in (("scheduled", 1), ("queued", 1), ("running", 0), ("restarting", 0)):
        database("UPDATE task_instance SET state = :state WHERE run_id = :id", state=state, id=job_id)
        value = read_metrics(op)
        assert value("coinrequest_tasks_active") == active + 1, state
        assert value("coinrequest_tasks_waiting") == waiting + waits, state
    for state in ("deferred", "up_for_retry", "success"):
        database("UPDATE task_instance SET state = :state WHERE run_id = :id", state=state, id=job_id)
        assert read_metrics(op)("coinrequest_tasks_active") == active, state


def test_nothing_to_count_executes_no_statement(airflow_app: Any) -> None:
    record()


def test_clock_skew_never_shrinks_a_sum(op: TestClient, name: str) -> None:
    record(ended(name, started_at=NOON - timedelta(seconds=1), ended_at=NOON - timedelta(seconds=1)))
    assert read_metrics(op)("coinrequest_job_queue_seconds_sum", type=name) == 0


def test_undelivered_notices_are_counted(op: TestClient, database: Callable[..., None]) -> None:
    notice = (
        "INSERT INTO coinrequest_notice"
        " (id, job_id, kind, destination, body, state, created_at, next_attempt_at, give_up_at)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), 'webhook', 'https://example.org', '', :state,"
        " now() - make_interval(mins => :minutes), now(), now())"
    )
    database("DELETE FROM coinrequest_notice")
    database("DELETE FROM coinrequest_completion")
    value = read_metrics(op)
    assert value("coinrequest_notice_oldest_pending_seconds") == 0
    for state, minutes in (("pending", 5), ("pending", 1), ("failed", 60), ("delivered", 70)):
        database(notice, state=state, minutes=minutes)
    database(
        "INSERT INTO coinrequest_completion (job_id, state, ended_at) VALUES (gen_random_uuid(), 'success', now())"
    )
    value = read_metrics(op)
    assert value("coinrequest_notices", state="pending") == 2
    assert value("coinrequest_notices", state="failed") == 1
    assert value("coinrequest_notice_oldest_pending_seconds") == pytest.approx(300, abs=60)
    assert value("coinrequest_completions_waiting") == 1


def test_a_gateway_counts_as_connected_if_it_runs_and_reaches_its_channel(
    op: TestClient, database: Callable[..., None]
) -> None:
    for gateway, seconds, channel in (
        ("alive", 1, "connected"),
        ("no-channel", 1, "none"),
        ("away", 1, "disconnected"),
        ("dead", 60, "connected"),
    ):
        database(
            "INSERT INTO coinrequest_gateway (name, started_at, seen_at, channel)"
            " VALUES (:name, now(), now() - make_interval(secs => :seconds), :channel)",
            name=gateway,
            seconds=seconds,
            channel=channel,
        )
    value = read_metrics(op)
    found = {
        name: value("coinrequest_gateway_connected", gateway=name) for name in ("alive", "no-channel", "away", "dead")
    }
    assert found == {"alive": 1, "no-channel": 1, "away": 0, "dead": 0}


def test_a_monitoring_system_needs_no_user(client_of: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = client_of(None)
    with_token = {"Authorization": "Bearer a-secret-of-the-monitoring"}
    assert nobody.get(URL, headers=with_token).status_code == 401
    monkeypatch.setenv("COINREQUEST_METRICS_TOKEN", "a-secret-of-the-monitoring")
    assert nobody.get(URL, headers=with_token).status_code == 200
    for other in ("Bearer a-secret", "Bearer ", "Basic a-secret-of-the-monitoring", ""):
        answer = nobody.get(URL, headers={"Authorization": other} if other else {})
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
    # The token is for the metrics alone.
    assert nobody.get("/jobs/v1/jobs", headers=with_token).status_code == 401


@pytest.mark.parametrize("role", ["Viewer", "User", "Op", "Admin"])
def test_readers_may_read_the_metrics(client_of: Clients, role: str) -> None:
    assert client_of(role).get(URL).status_code == 200


def test_the_format_is_negotiated(op: TestClient, name: str) -> None:
    record(ended(name, started_at=NOON, ended_at=NOON))
    plain = op.get(URL)
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    modern = op.get(URL, headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in openmetrics(modern.text)}
    assert {"coinrequest_jobs", "coinrequest_jobs_completed", "coinrequest_job_queue_seconds"} <= names
