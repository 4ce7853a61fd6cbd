"""Runs and backfills, asked for over Airflow's own routes, at times of every kind."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from starlette.testclient import TestClient

from coinrequest.airflow.session import airflow_session

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"
LAST = "9999-12-31T23:59:59.999999Z"
FIRST = "0001-01-01T00:00:00Z"
# Neither is a time in UTC.
BEYOND = ("9999-12-31T23:59:59.999999-12:00", "0001-01-01T00:00:00+14:00")
DAY = "2026-01-01T00:00:00Z"


def trigger(client: TestClient, name: str, **fields: Any) -> Any:
    return client.post(f"/api/v2/dags/{name}/dagRuns", json={"logical_date": None, **fields})


def jobs_of(client: TestClient, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(JOBS, params={"type": name}).json()["jobs"]
    return found


def next_run(name: str) -> datetime:
    with airflow_session() as opened:
        statement = text("SELECT next_dagrun FROM dag WHERE dag_id = :name")
        found: datetime = opened.execute(statement, {"name": name}).scalar()
    return found.astimezone(UTC)


def backfill(client: TestClient, name: str, *, dry: bool = False, **fields: Any) -> Any:
    now = datetime.now(UTC)
    wanted = {
        "dag_id": name,
        "from_date": (now - timedelta(hours=3)).isoformat(),
        "to_date": (now - timedelta(hours=1)).isoformat(),
        **fields,
    }
    return client.post(f"/api/v2/backfills{'/dry_run' if dry else ''}", json=wanted)
