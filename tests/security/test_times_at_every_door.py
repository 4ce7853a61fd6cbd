"""No time that is sent to Airflow's own routes can stop a scheduler, a schedule or a web server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError
from starlette.testclient import TestClient
from support import schema
from support.airflow_runs import BEYOND, DAY, FIRST, JOBS, LAST, TYPES, jobs_of, next_run, trigger
from support.api_environment import definition as small
from support.databases import as_superuser, copied

from coinrequest.airflow.session import airflow_session
from coinrequest.times import LONGEST_AHEAD

pytestmark = [pytest.mark.security, pytest.mark.usefixtures("airflow_app")]

RUNS = [
    ({"logical_date": DAY, "data_interval_start": FIRST, "data_interval_end": LAST}, "data_interval_end"),
    ({"logical_date": DAY, "data_interval_start": FIRST, "data_interval_end": DAY}, "data_interval_start"),
    ({"run_after": LAST}, "run_after"),
    ({"run_after": FIRST}, "run_after"),
    ({"run_after": "2199-01-01T00:00:00Z"}, "run_after"),
    ({"logical_date": "9999-01-01T00:00:00Z"}, "logical_date"),
    ({"logical_date": "2199-01-01T00:00:00Z"}, "logical_date"),
    ({"logical_date": "1950-01-01T00:00:00Z"}, "logical_date"),
    *(({"run_after": at}, "run_after") for at in BEYOND),
    *(({"logical_date": at}, "logical_date") for at in BEYOND),
    *(
        ({"logical_date": DAY, "data_interval_start": at, "data_interval_end": at}, "data_interval_end")
        for at in BEYOND
    ),
]


@pytest.mark.parametrize("scheduled", [True, False])
@pytest.mark.parametrize(("fields", "said"), RUNS)
def test_a_run_with_times_out_of_range_is_refused(
    op: TestClient, user: TestClient, name: str, fields: dict[str, Any], said: str, scheduled: bool
) -> None:
    schedule = {"schedule": {"cron": "0 * * * *"}} if scheduled else {}
    assert op.post(TYPES, json=small(name, **schedule)).status_code == 201
    answer = trigger(user, name, **fields)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"]
    assert "must be between 19" in answer.json()["detail"]
    assert jobs_of(op, name) == []


def test_a_note_that_cannot_be_stored_is_named(op: TestClient, user: TestClient, name: str) -> None:
    assert op.post(TYPES, json=small(name)).status_code == 201
    body = '{"logical_date": null, "note": "half of a \\ud83d"}'
    answer = user.post(f"/api/v2/dags/{name}/dagRuns", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"] == "note contains a lone surrogate, which is not a character"
    assert jobs_of(op, name) == []


def test_reasonable_times_are_accepted(user: TestClient, hourly: str) -> None:
    later = (datetime.now(UTC) + LONGEST_AHEAD - timedelta(days=1)).isoformat()
    for fields in ({"run_after": later}, {"logical_date": "1970-01-02T00:00:00Z"}, {"logical_date": DAY}):
        answer = trigger(user, hourly, **fields)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("at", BEYOND)
def test_a_list_refuses_times_out_of_the_range_of_utc(user: TestClient, at: str) -> None:
    for answer in (
        user.get("/api/v2/dags/~/dagRuns", params={"run_after_gte": at}),
        user.post("/api/v2/dags/~/dagRuns/list", json={"run_after_gte": at}),
    ):
        assert answer.status_code == 422, answer.text
        assert "run_after_gte must be between 1970-01-01 and 20" in answer.json()["detail"]


@pytest.mark.parametrize("at", [LAST, FIRST, *BEYOND])
def test_an_asset_is_not_materialised_at_a_time_out_of_range(op: TestClient, name: str, at: str) -> None:
    assert op.post(TYPES, json=small(name)).status_code == 201
    assert op.post(TYPES, json=small(f"{name}-next", schedule={"after": [name]})).status_code == 201
    (asset,) = op.get("/api/v2/assets", params={"name_pattern": f"job-type/{name}"}).json()["assets"]
    answer = op.post(f"/api/v2/assets/{asset['id']}/materialize", json={"run_after": at})
    assert answer.status_code == 422, answer.text
    assert "run_after" in answer.json()["detail"]
    assert jobs_of(op, name) == []


@pytest.mark.parametrize("field", ["run_after", "logical_date"])
@pytest.mark.parametrize("at", [LAST, FIRST, *BEYOND])
def test_a_task_cannot_trigger_a_run_at_a_time_out_of_range(
    airflow_app: Any, op: TestClient, name: str, field: str, at: str
) -> None:
    assert op.post(TYPES, json=small(name, schedule={"cron": "0 * * * *"})).status_code == 201
    answer = as_task(airflow_app, op, name, {field: at})
    assert answer.status_code in (400, 422), answer.text
    assert len(jobs_of(op, name)) == 1


def as_task(airflow_app: Any, op: TestClient, name: str, payload: dict[str, Any]) -> Any:
    """Trigger a run of a type as a task of a first run does."""
    from airflow.api_fastapi.auth.tokens import JWTGenerator, get_signing_args
    from airflow.configuration import conf

    job = op.post(f"{TYPES}/{name}/jobs", json={}).json()["id"]
    with airflow_session() as opened:
        task = opened.execute(text("SELECT id FROM task_instance WHERE run_id = :run"), {"run": job}).scalar()
    audience = conf.get_mandatory_list_value("execution_api", "jwt_audience")[0]
    generator = JWTGenerator(valid_for=60, audience=audience, **get_signing_args(make_secret_key_if_needed=False))
    headers = {"Authorization": f"Bearer {generator.generate({'sub': str(task)})}"}
    with TestClient(airflow_app, headers=headers) as agent:
        return agent.post(f"/execution/dag-runs/{name}/triggered", json=payload)


# -- the schedule -----------------------------------------------------------------------------------------------


def test_a_run_by_hand_does_not_move_the_schedule(user: TestClient, hourly: str) -> None:
    planned = next_run(hourly)
    ahead = (planned + timedelta(days=700)).isoformat()
    start = planned.isoformat()
    answer = trigger(user, hourly, logical_date=start, data_interval_start=start, data_interval_end=ahead)
    assert answer.status_code == 422, answer.text
    assert "data_interval_end" in answer.json()["detail"]
    assert "leave both out" in answer.json()["detail"]
    # Its own interval is no harm, and neither is one that comes from a far `run_after`, as a task sends it.
    answer = trigger(
        user, hourly, logical_date=start, run_after=ahead, data_interval_start=ahead, data_interval_end=ahead
    )
    assert answer.status_code == 200, answer.text
    assert reckoned_from(hourly, answer.json()["dag_run_id"]) == planned + timedelta(hours=1)


def test_a_task_does_not_move_the_schedule(airflow_app: Any, op: TestClient, hourly: str) -> None:
    planned = next_run(hourly)
    ahead = (planned + timedelta(days=700)).isoformat()
    answer = as_task(airflow_app, op, hourly, {"logical_date": planned.isoformat(), "run_after": ahead})
    assert answer.status_code == 204, answer.text
    assert reckoned_from(hourly, "triggered") == planned + timedelta(hours=1)


def reckoned_from(name: str, run: str) -> Any:
    """Return the time of the next run of a schedule, as the scheduler computes it from an existing run."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.serialized_dag import SerializedDagModel

    with airflow_session() as opened:
        model = opened.query(DagModel).filter_by(dag_id=name).one()
        found = opened.query(DagRun).filter_by(dag_id=name, run_id=run).one()
        model.calculate_dagrun_date_fields(SerializedDagModel.get(name, session=opened).dag, reference_run=found)
        reckoned = model.next_dagrun
        opened.rollback()
    return reckoned


# -- the database -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", ["10000", "9500", "1800"])
@pytest.mark.parametrize(
    "column", ["run_after", "logical_date", "data_interval_start", "data_interval_end", "partition_date"]
)
def test_no_run_in_the_database_has_a_time_that_python_cannot_read(
    op: TestClient, name: str, column: str, year: str
) -> None:
    assert op.post(TYPES, json=small(name)).status_code == 201
    assert op.post(f"{TYPES}/{name}/jobs", json={}).status_code == 202
    refused(f"UPDATE dag_run SET {column} = '{year}-01-01Z' WHERE dag_id = '{name}'")  # noqa: S608


@pytest.mark.parametrize("dates", ["'1800-01-01Z', now()", "now(), '10000-01-01Z'"])
def test_no_backfill_in_the_database_has_a_time_that_python_cannot_read(dates: str) -> None:
    columns = "dag_id, from_date, to_date, dag_run_conf, reprocess_behavior, max_active_runs, created_at, updated_at"
    refused(f"INSERT INTO backfill ({columns}) VALUES ('x', {dates}, '{{}}', 'none', 1, now(), now())")  # noqa: S608


def refused(statement: str) -> None:
    with airflow_session() as opened:
        with pytest.raises(DataError, match="between the years 1900 and 9000"):
            opened.execute(text(statement))
        opened.rollback()


def test_the_upgrade_repairs_existing_rows(op: TestClient, name: str) -> None:
    assert op.post(TYPES, json=small(name)).status_code == 201
    jobs = [op.post(f"{TYPES}/{name}/jobs", json={}).json()["id"] for _ in range(3)]
    bad = (
        "UPDATE dag_run SET run_after = '10000-01-01Z', data_interval_start = '0001-01-01Z',"
        " data_interval_end = '10000-01-01Z'",
        "UPDATE coinrequest_job SET run_after = '10000-01-01Z'",
        f"UPDATE dag_run SET logical_date = '10000-01-01Z' WHERE run_id = '{jobs[0]}'",  # noqa: S608
        f"UPDATE dag_run SET logical_date = '9999-01-01Z' WHERE run_id = '{jobs[1]}'",  # noqa: S608
    )
    with copied("times") as url:
        schema.downgrade(url, "0006")
        as_superuser(*bad, database="times")
        schema.upgrade(url)
        years = "SELECT DISTINCT extract(year FROM {}) FROM {}"
        for column, table, year in (
            ("run_after", "dag_run", 9000),
            ("data_interval_start", "dag_run", 1900),
            ("data_interval_end", "dag_run", 9000),
            ("run_after", "coinrequest_job", 9000),
        ):
            assert as_superuser(years.format(column, table), database="times") == [(year,)]
        dates = f"SELECT logical_date FROM dag_run WHERE dag_id = '{name}' ORDER BY id"  # noqa: S608
        first, second, none = (row[0] for row in as_superuser(dates, database="times"))
        assert (first.year, second.year, none) == (8999, 8999, None)
        assert first != second


def test_a_repaired_run_can_be_cancelled(op: TestClient, hourly: str) -> None:
    job = op.post(f"{TYPES}/{hourly}/jobs", json={}).json()["id"]
    with airflow_session() as opened:
        opened.execute(
            text(
                "UPDATE dag_run SET run_after = '9000-01-01Z', logical_date = '8999-12-31Z',"
                " data_interval_start = '1900-01-01Z', data_interval_end = '9000-01-01Z' WHERE run_id = :run"
            ),
            {"run": job},
        )
    answer = op.post(f"{JOBS}/{job}/cancel")
    assert answer.status_code in (200, 202), answer.text
    assert op.get(f"{JOBS}/{job}").json()["state"] == "cancelled"


# -- DAGs that are no job types ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("fields", "said"), RUNS)
def test_a_run_of_a_hand_written_dag_with_times_out_of_range_is_refused(
    op: TestClient, hand_written: str, fields: dict[str, Any], said: str
) -> None:
    answer = trigger(op, hand_written, **fields)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"]


def test_a_run_by_hand_does_not_move_a_hand_written_schedule(op: TestClient, hand_written: str) -> None:
    planned = next_run(hand_written)
    ahead = (planned + timedelta(days=700)).isoformat()
    past = (planned - timedelta(days=30)).isoformat()
    for start in (planned.isoformat(), past):
        answer = trigger(op, hand_written, logical_date=start, data_interval_start=start, data_interval_end=ahead)
        assert answer.status_code == 422, answer.text
    # What is worked on again may be cut as somebody wants it.
    end = (planned - timedelta(days=2)).isoformat()
    answer = trigger(op, hand_written, logical_date=past, data_interval_start=past, data_interval_end=end)
    assert answer.status_code == 200, answer.text
