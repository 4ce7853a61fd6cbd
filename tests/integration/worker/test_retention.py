"""Jobs whose time is over are removed with everything that is theirs, by a role that may do nothing else."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError
from starlette.testclient import TestClient
from support import api_environment as environment

from coinrequest.database import registry_connection
from coinrequest.install.secrets import ensure_secrets
from coinrequest.stack.layout import Layout
from coinrequest.worker import retention


@pytest.fixture
def reader(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the agents' role, under which the retention runs; 30 days are kept."""
    password = ensure_secrets(Layout(Path(os.environ["AIRFLOW_HOME"]).parent / "stack").secrets).postgres_reader
    owner = make_url(os.environ["COINREQUEST_REGISTRY_URL"])
    url = owner.set(username="coinrequest_reader", password=password).render_as_string(hide_password=False)
    monkeypatch.setenv("COINREQUEST_REGISTRY_URL", url)
    monkeypatch.delenv("COINREQUEST_JOB_RETENTION", raising=False)
    return url


@pytest.fixture
def job_type(op: TestClient, name: str) -> Iterator[str]:
    assert op.post("/jobs/v1/job-types", json=environment.definition(name)).status_code == 201
    yield name
    execute("DELETE FROM dag_run WHERE dag_id = :name", name=name)
    execute(
        "DELETE FROM coinrequest_notice WHERE job_id IN (SELECT id FROM coinrequest_job WHERE job_type = :name)",
        name=name,
    )
    execute("DELETE FROM coinrequest_job WHERE job_type = :name", name=name)


def execute(statement: str, **values: Any) -> Any:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        result = session.execute(text(statement), values)
        return result.all() if result.returns_rows else None


def job(op: TestClient, name: str, *, days: int = 0, done: bool = True) -> str:
    """Submit a job that ended so many days ago, and whose notices a gateway has made."""
    job_id: str = op.post(f"/jobs/v1/job-types/{name}/jobs", json={}).json()["id"]
    if done:
        environment.finish(name, job_id, outputs={"wait": '{"value": 0}'})
    age = f"interval '{days} days'"
    execute(
        f"UPDATE coinrequest_job SET submitted_at = submitted_at - {age}, ended_at = ended_at - {age} WHERE id = :id",  # noqa: S608 - of constants alone
        id=job_id,
    )
    execute("DELETE FROM coinrequest_completion WHERE job_id = :id", id=job_id)
    return job_id


def there(op: TestClient, job_id: str) -> bool:
    return bool(op.get(f"/jobs/v1/jobs/{job_id}").status_code == 200)


def tables_with(run_id: str) -> set[str]:
    """The tables that still know the run."""
    names = execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = set()
    for (table,) in names:
        if execute(f'SELECT 1 FROM "{table}" AS t WHERE t::text LIKE :run LIMIT 1', run=f"%{run_id}%"):  # noqa: S608 - of constants alone
            found.add(table)
    return found


def test_old_jobs_go_with_their_runs_and_the_audit_log_stays(op: TestClient, job_type: str, reader: str) -> None:
    old = job(op, job_type, days=31)
    young = job(op, job_type, days=29)
    assert {"dag_run", "task_instance", "xcom", "coinrequest_job"} <= tables_with(old)
    assert retention.clean() >= 1
    assert tables_with(old) == {"log"}
    assert there(op, young)
    assert retention.clean() == 0


def test_all_are_removed_in_batches(op: TestClient, job_type: str, reader: str) -> None:
    for _ in range(5):
        job(op, job_type, days=40)
    assert retention.clean(batch=2) >= 5
    assert op.get(f"/jobs/v1/jobs?type={job_type}").json()["jobs"] == []


def test_the_time_is_a_setting_but_a_day_at_least(
    op: TestClient, job_type: str, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COINREQUEST_JOB_RETENTION", "1s")
    fresh, two_days = job(op, job_type), job(op, job_type, days=2)
    retention.clean()
    assert there(op, fresh)
    assert not there(op, two_days)


def test_a_job_that_runs_or_still_owes_a_notice_stays(op: TestClient, job_type: str, reader: str) -> None:
    active = job(op, job_type, days=60, done=False)
    owing = job(op, job_type, days=60)
    told = job(op, job_type, days=60)
    notice = (
        "INSERT INTO coinrequest_notice"
        " (id, job_id, kind, destination, body, state, created_at, next_attempt_at, give_up_at)"
        " VALUES (gen_random_uuid(), :id, 'webhook', 'https://example.org', '', :state, now(), now(), now())"
    )
    execute(notice, id=owing, state="pending")
    execute(notice, id=told, state="delivered")
    retention.clean()
    assert there(op, active)
    assert there(op, owing)
    assert not there(op, told)
    assert "coinrequest_notice" not in tables_with(told)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM coinrequest_job",
        "DELETE FROM dag_run",
        "SELECT * FROM coinrequest_job",
        "SELECT coinrequest_record_run('a', 'b')",
    ],
)
def test_the_role_may_do_nothing_else(reader: str, statement: str) -> None:
    with registry_connection.connect() as connection:
        connection.execution_options(postgresql_readonly=False)
        with pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text(statement))


def test_the_transactions_of_the_role_are_read_only_otherwise(reader: str) -> None:
    engine = create_engine(reader)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on"
    engine.dispose()
