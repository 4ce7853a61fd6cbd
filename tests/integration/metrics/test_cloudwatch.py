"""The metrics that a gateway writes for CloudWatch, from a real database."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient
from support import api_environment as environment
from support.waiting import eventually

from coinrequest.airflow import heartbeats
from coinrequest.airflow.session import airflow_session
from coinrequest.gateway.periodic import Periodic
from coinrequest.metrics import cloudwatch

COUNTS = {"TasksWaiting", "TasksActive", "NoticesPending", "CompletionsWaiting"}
AGES = {"OldestWaitingTaskSeconds", "OldestQueuedJobSeconds", "OldestPendingNoticeSeconds"}
HEARTBEATS = {"SchedulerHeartbeatSeconds", "DagProcessorHeartbeatSeconds", "TriggererHeartbeatSeconds"}

Execute = Callable[..., None]


@pytest.fixture
def execute(airflow_app: Any) -> Iterator[Execute]:
    """Execute statements; processes, notices and completions are deleted before and after the test."""

    def execute(statement: str, **values: Any) -> None:
        with airflow_session() as session:
            session.execute(text(statement), values)

    def clear() -> None:
        for table in ("job", "coinrequest_notice", "coinrequest_completion"):
            execute(f"DELETE FROM {table}")  # noqa: S608 - names of tables

    clear()
    yield execute
    clear()


def runs(runner: type[Any], seconds: float, state: str = "running") -> None:
    """Write the heartbeat of a process of Airflow, so many seconds ago, as Airflow writes it."""
    from airflow._shared.timezones.timezone import utcnow
    from airflow.jobs.job import Job

    with airflow_session() as session:
        job = Job(latest_heartbeat=utcnow() - timedelta(seconds=seconds), state=state)
        job.job_type = runner.job_type
        session.add(job)


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Write the metrics, and return them."""
    capsys.readouterr()
    assert cloudwatch.write("coinrequest/test") is False
    output = capsys.readouterr().out
    assert output.endswith("\n")
    assert output.count("\n") == 1
    found: dict[str, Any] = json.loads(output)
    return found


def test_the_line_is_in_the_embedded_metric_format(execute: Execute, capsys: pytest.CaptureFixture[str]) -> None:
    before = int(time.time() * 1000)
    line = written(capsys)
    metadata = line.pop("_aws")
    assert before <= metadata.pop("Timestamp") <= time.time() * 1000
    (directive,) = metadata.pop("CloudWatchMetrics")
    assert metadata == {}
    assert directive.pop("Namespace") == "coinrequest/test"
    assert directive.pop("Dimensions") == [[]]
    units = {metric["Name"]: metric["Unit"] for metric in directive.pop("Metrics")}
    assert directive == {}
    assert units == {**dict.fromkeys(COUNTS, "Count"), **dict.fromkeys(AGES, "Seconds")}
    assert set(line) == set(units)
    assert all(isinstance(value, int | float) and value >= 0 for value in line.values())


def test_what_waits_is_counted(op: TestClient, name: str, execute: Execute, capsys: pytest.CaptureFixture[str]) -> None:
    assert op.post("/jobs/v1/job-types", json=environment.definition(name)).status_code == 201
    job_id = op.post(f"/jobs/v1/job-types/{name}/jobs", json={}).json()["id"]
    execute(
        "UPDATE coinrequest_job SET submitted_at = now() - interval '70 h', run_after = now() - interval '70 h'"
        " WHERE id = :id",
        id=job_id,
    )
    before = written(capsys)
    execute(
        "UPDATE task_instance SET state = 'queued', scheduled_dttm = now() - interval '99 h' WHERE run_id = :id",
        id=job_id,
    )
    execute(
        "INSERT INTO coinrequest_notice"
        " (id, job_id, kind, destination, body, state, created_at, next_attempt_at, give_up_at)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), 'webhook', 'https://example.org', '', 'pending',"
        " now() - interval '5 min', now(), now())"
    )
    execute("INSERT INTO coinrequest_completion (job_id, state, ended_at) VALUES (gen_random_uuid(), 'success', now())")
    line = written(capsys)
    assert line["TasksWaiting"] == before["TasksWaiting"] + 1
    assert line["TasksActive"] == before["TasksActive"] + 1
    assert line["OldestWaitingTaskSeconds"] == pytest.approx(99 * 3600, abs=120)
    assert line["OldestQueuedJobSeconds"] == pytest.approx(70 * 3600, abs=120)
    assert (line["NoticesPending"], line["CompletionsWaiting"]) == (1, 1)
    assert line["OldestPendingNoticeSeconds"] == pytest.approx(300, abs=60)
    environment.finish(name, job_id)


def test_the_newest_heartbeat_of_each_process_counts(execute: Execute, capsys: pytest.CaptureFixture[str]) -> None:
    """Contract with Airflow: its own runners' names, its own column, and its own health report."""
    from airflow.api.common.airflow_health import get_airflow_health
    from airflow.jobs.dag_processor_job_runner import DagProcessorJobRunner
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.jobs.triggerer_job_runner import TriggererJobRunner

    for seconds in (500, 2, 90):
        runs(SchedulerJobRunner, seconds)
    runs(DagProcessorJobRunner, 3600)
    runs(TriggererJobRunner, -1)
    line = written(capsys)
    assert line["SchedulerHeartbeatSeconds"] == pytest.approx(2, abs=30)
    assert line["DagProcessorHeartbeatSeconds"] == pytest.approx(3600, abs=30)
    # A clock that is ahead makes no negative age.
    assert 0 <= line["TriggererHeartbeatSeconds"] < 30
    health = get_airflow_health()
    found = {process: health[process]["status"] for process in ("scheduler", "dag_processor", "triggerer")}
    assert found == {"scheduler": "healthy", "dag_processor": "unhealthy", "triggerer": "healthy"}


def test_a_process_that_is_not_running_is_left_out(execute: Execute, capsys: pytest.CaptureFixture[str]) -> None:
    """CloudWatch then has no value, and its alarm treats missing data as breaching."""
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    with airflow_session() as session:
        assert heartbeats.ages(session) == {}
    runs(SchedulerJobRunner, 1, state="success")
    line = written(capsys)
    assert HEARTBEATS & set(line) == set()
    named = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert HEARTBEATS & named == set()


def test_an_unavailable_database_is_logged_once(
    execute: Execute, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tries: list[int] = []

    def sessions() -> AbstractContextManager[Session]:
        tries.append(1)
        if len(tries) < 4:
            raise ConnectionError("the database is away")
        return airflow_session()

    stop = threading.Event()
    periodic = Periodic("write the metrics", lambda: cloudwatch.write("coinrequest/test", sessions), 0.1)
    capsys.readouterr()
    thread = threading.Thread(target=periodic.run, args=(stop,))
    thread.start()
    try:
        eventually(lambda: len(tries) >= 5)
    finally:
        stop.set()
        periodic.wake()
        thread.join(10)
    assert caplog.text.count("Cannot write the metrics; trying again") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all("_aws" in json.loads(line) for line in lines)
