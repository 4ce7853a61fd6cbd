"""Run tracking: each run of a job type has a job with the same state. Runs the triggers against Airflow's own models.

Fails when Airflow changes the columns of its table of runs that the SQL uses.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient
from support.api_environment import definition as small
from support.api_environment import finish

pytestmark = pytest.mark.usefixtures("airflow_app")

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"


@pytest.fixture
def revision(op: TestClient, name: str) -> int:
    """Register a new type; return its revision."""
    return int(op.post(TYPES, json=small(name)).json()["revision"])


@contextmanager
def session() -> Iterator[Any]:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as opened:
        yield opened


def start(name: str, run_type: str, run_id: str, *, user: str | None = None, state: str = "queued") -> None:
    """Create a run with Airflow's own model, as its scheduler does."""
    from airflow.models.dagbag import DBDagBag
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    now = datetime.now(UTC)
    with session() as opened:
        DBDagBag().get_latest_version_of_dag(name, session=opened).create_dagrun(
            run_id=run_id,
            run_after=now,
            logical_date=None,
            data_interval=None,
            run_type=DagRunType(run_type),
            triggered_by=DagRunTriggeredByType.UI if user else DagRunTriggeredByType.TIMETABLE,
            triggering_user_name=user,
            state=DagRunState(state),
            session=opened,
        )


def only_job(op: TestClient, name: str) -> dict[str, Any]:
    jobs = op.get(f"{JOBS}?type={name}").json()["jobs"]
    assert len(jobs) == 1
    found: dict[str, Any] = jobs[0]
    return found


def completions(job_id: str) -> list[str]:
    with session() as opened:
        query = text("SELECT state FROM coinrequest_completion WHERE job_id = :id ORDER BY number")
        return list(opened.scalars(query, {"id": job_id}))


@pytest.mark.parametrize(
    ("run_type", "origin"),
    [
        ("scheduled", "schedule"),
        ("asset_triggered", "after"),
        ("asset_materialization", "after"),
        ("backfill", "backfill"),
        ("manual", "airflow"),
        ("operator_triggered", "airflow"),
    ],
)
def test_a_run_that_airflow_starts_is_a_job(
    op: TestClient, name: str, revision: int, run_type: str, origin: str
) -> None:
    run_id = f"{run_type}__2026-11-22T00:00:00+00:00"
    start(name, run_type, run_id)
    job = only_job(op, name)
    assert (job["origin"], job["state"], job["revision"]) == (origin, "queued", revision)
    assert job["submitted_by"] == "airflow"
    assert job["dag_run_url"].endswith(f"/dags/{name}/runs/{run_type}__2026-11-22T00%3A00%3A00%2B00%3A00")
    assert op.get(f"{JOBS}/{job['id']}").json()["id"] == job["id"]


def test_every_kind_of_run_is_known() -> None:
    from airflow.utils.types import DagRunType

    known = {"scheduled", "asset_triggered", "asset_materialization", "backfill", "manual", "operator_triggered"}
    assert {kind.value for kind in DagRunType} == known


def test_a_run_that_a_user_triggers_in_airflow_names_the_user(op: TestClient, name: str, revision: int) -> None:
    answer = op.post(f"/api/v2/dags/{name}/dagRuns", json={"logical_date": None, "conf": {}})
    assert answer.status_code == 200, answer.text
    assert (only_job(op, name)["origin"], only_job(op, name)["submitted_by"]) == ("airflow", "op")


def test_a_run_of_another_dag_is_not_a_job(op: TestClient, name: str, revision: int) -> None:
    with session() as opened:
        opened.execute(
            text("INSERT INTO dag_bundle (name, active) VALUES ('dags-folder', true) ON CONFLICT DO NOTHING")
        )
        opened.execute(text("UPDATE dag SET bundle_name = 'dags-folder' WHERE dag_id = :name"), {"name": name})
    start(name, "manual", "by-hand")
    assert op.get(f"{JOBS}?type={name}").json()["jobs"] == []


def test_a_job_follows_its_run_through_all_states(op: TestClient, name: str, revision: int) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState
    from sqlalchemy import select

    start(name, "scheduled", "run")
    job = only_job(op, name)
    for state in (
        DagRunState.RUNNING,
        DagRunState.FAILED,
        DagRunState.QUEUED,
        DagRunState.RUNNING,
        DagRunState.SUCCESS,
    ):
        with session() as opened:
            opened.scalars(select(DagRun).where(DagRun.dag_id == name)).one().set_state(state)
        found = op.get(f"{JOBS}/{job['id']}").json()
        assert found["state"] == state.value
        assert (found["ended_at"] is not None) == (state in (DagRunState.FAILED, DagRunState.SUCCESS))
        assert found["started_at"] is not None or state == DagRunState.QUEUED
    assert completions(job["id"]) == ["failed", "success"]


def test_a_bulk_update_is_tracked_and_a_repeated_state_completes_no_job_twice(
    op: TestClient, name: str, revision: int
) -> None:
    for number in range(3):
        start(name, "scheduled", f"run-{number}")
    for _ in range(2):
        with session() as opened:
            opened.execute(
                text("UPDATE dag_run SET state = 'success', end_date = now() WHERE dag_id = :name"), {"name": name}
            )
    jobs = op.get(f"{JOBS}?type={name}").json()["jobs"]
    assert [job["state"] for job in jobs] == ["success"] * 3
    assert [completions(job["id"]) for job in jobs] == [["success"]] * 3


def test_clearing_in_airflow_queues_the_job_again(op: TestClient, name: str, revision: int) -> None:
    job = op.post(f"{TYPES}/{name}/jobs", json={}).json()
    finish(name, job["id"], state="failed")
    answer = op.post(f"/api/v2/dags/{name}/dagRuns/{job['id']}/clear", json={"dry_run": False})
    assert answer.status_code == 200, answer.text
    assert op.get(f"{JOBS}/{job['id']}").json()["state"] == "queued"


def test_marking_a_run_as_failed_in_airflow_ends_the_job(op: TestClient, name: str, revision: int) -> None:
    job = op.post(f"{TYPES}/{name}/jobs", json={}).json()
    answer = op.patch(f"/api/v2/dags/{name}/dagRuns/{job['id']}", json={"state": "failed"})
    assert answer.status_code == 200, answer.text
    found = op.get(f"{JOBS}/{job['id']}").json()
    assert (found["state"], found["cancelled"]) == ("failed", None)
    assert completions(job["id"]) == ["failed"]


def test_a_job_outlives_its_run(op: TestClient, name: str, revision: int) -> None:
    start(name, "scheduled", "run", state="success")
    job = only_job(op, name)
    assert op.delete(f"/api/v2/dags/{name}/dagRuns/run").status_code == 204
    found = op.get(f"{JOBS}/{job['id']}").json()
    assert (found["state"], found["params"]) == ("removed", {})
    assert found["ended_at"] is not None
    assert "removed" not in completions(job["id"])


def test_every_change_sends_a_notification(op: TestClient, name: str, revision: int) -> None:
    from airflow import settings

    connection = settings.engine.raw_connection()
    try:
        connection.driver_connection.autocommit = True
        connection.cursor().execute("LISTEN coinrequest_job")
        start(name, "scheduled", "run")
        finish(name, "run")
        heard = _notices(connection.driver_connection, 2)
    finally:
        connection.driver_connection.close()
        connection.invalidate()
    job = only_job(op, name)
    assert heard[:2] == [f"{job['id']} queued", f"{job['id']} success"]


def _notices(driver: Any, count: int) -> list[str]:
    """Return the payloads of the notifications, with either of the PostgreSQL drivers that Airflow supports."""
    if hasattr(driver, "notifies") and callable(driver.notifies):
        return [note.payload for note in driver.notifies(timeout=10, stop_after=count)]
    import select

    while len(driver.notifies) < count:
        assert select.select([driver], [], [], 10)[0], "nothing was notified"
        driver.poll()
    return [note.payload for note in driver.notifies]


@contextmanager
def broken_function() -> Iterator[None]:
    """Replace the function that the trigger calls with one that fails."""
    definition = "SELECT pg_get_functiondef('public.coinrequest_record_run(text, text)'::regprocedure)"
    broken = (
        "CREATE OR REPLACE FUNCTION coinrequest_record_run(dag text, run text) RETURNS boolean LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'broken for a test'; END $$"
    )
    with session() as opened:
        whole = opened.scalars(text(definition)).one()
        opened.execute(text(broken))
    try:
        yield
    finally:
        with session() as opened:
            opened.connection().exec_driver_sql(whole.replace("%", "%%"))


def sweep() -> int:
    from coinrequest.airflow.run_sweep import sweep as run

    with session() as opened:
        return run(opened)


def test_a_failing_function_does_not_break_airflows_update_and_the_sweep_repairs_the_job(
    op: TestClient, name: str, revision: int
) -> None:
    sweep()
    job = op.post(f"{TYPES}/{name}/jobs", json={}).json()
    with broken_function():
        finish(name, job["id"])
        start(name, "scheduled", "unseen", state="running")
        assert op.get(f"/api/v2/dags/{name}/dagRuns/{job['id']}").json()["state"] == "success"
        assert op.get(f"{JOBS}/{job['id']}").json()["state"] == "queued"
    assert sweep() == 2
    states = {found["origin"]: found["state"] for found in op.get(f"{JOBS}?type={name}").json()["jobs"]}
    assert states == {"rest": "success", "schedule": "running"}
    assert completions(job["id"]) == ["success"]
    assert sweep() == 0


def test_the_sweep_finds_changes_made_while_the_trigger_was_disabled(op: TestClient, name: str, revision: int) -> None:
    sweep()
    ended, deleted, cancelled = (op.post(f"{TYPES}/{name}/jobs", json={}).json()["id"] for _ in range(3))
    op.post(f"{JOBS}/{cancelled}/cancel")
    with session() as opened:
        opened.execute(text("ALTER TABLE dag_run DISABLE TRIGGER USER"))
    try:
        finish(name, ended, state="failed")
        assert op.delete(f"/api/v2/dags/{name}/dagRuns/{deleted}").status_code == 204
        start(name, "scheduled", "unseen", state="success")
    finally:
        with session() as opened:
            opened.execute(text("ALTER TABLE dag_run ENABLE TRIGGER USER"))
    assert sweep() == 3
    assert [op.get(f"{JOBS}/{job}").json()["state"] for job in (ended, deleted, cancelled)] == [
        "failed",
        "removed",
        "cancelled",
    ]
    assert completions(ended) == ["failed"]
    assert completions(cancelled) == ["cancelled"]
    assert sweep() == 0


def test_the_columns_that_the_sql_uses_exist() -> None:
    from airflow.models.dagrun import DagRun

    with session() as opened:
        source = opened.scalars(text("SELECT prosrc FROM pg_proc WHERE proname = 'coinrequest_record_run'")).one()
    used = set(re.findall(r"\br\.([a-z_]+)", source))
    assert {"state", "run_after", "start_date", "end_date", "run_type", "bundle_version"} <= used
    assert used <= set(DagRun.__table__.columns.keys())
