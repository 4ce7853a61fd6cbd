"""Attacks, each of which has to fail: `make test-security` runs them alone.

Those on the API use `support.api_fixtures`, those on a running stack the fixtures of the root `conftest.py`.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient
from support import api_environment as environment
from support.airflow_runs import TYPES
from support.measured import Checker, checker
from support.scheduling import Scheduling, scheduling

from coinrequest.airflow.session import airflow_session


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"s-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    """Runs checks and says what they cost."""
    with checker(tmp_path_factory.mktemp("airflow")) as running:
        yield running


@pytest.fixture(scope="module")
def scheduler(airflow_app: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduling]:
    """A scheduler's executor over the API's database, with a broker and an agent of its own."""
    with scheduling(tmp_path_factory.mktemp("scheduling")) as made:
        made.start_agent()
        yield made


@pytest.fixture
def user(client_of: Any) -> Any:
    return client_of("User")


@pytest.fixture
def hourly(op: TestClient, name: str) -> str:
    assert op.post(TYPES, json=environment.definition(name, schedule={"cron": "0 * * * *"})).status_code == 201
    return name


@pytest.fixture
def minutely(op: TestClient, name: str) -> str:
    assert op.post(TYPES, json=environment.definition(name, schedule={"cron": "* * * * *"})).status_code == 201
    return name


@pytest.fixture
def hand_written(name: str) -> str:
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    with DAG(
        name, schedule=CronTriggerTimetable("* * * * *", timezone="UTC"), start_date=datetime(2026, 1, 1, tzinfo=UTC)
    ) as dag:
        BaseOperator(task_id="one")
    serialised = LazyDeserializedDAG.from_dag(dag)
    with airflow_session() as opened:
        opened.execute(text("INSERT INTO dag_bundle (name, active) VALUES ('by-hand', true) ON CONFLICT DO NOTHING"))
        SerializedDAG.bulk_write_to_db("by-hand", None, [serialised], None, session=opened)
        SerializedDagModel.write_dag(serialised, "by-hand", None, session=opened)
    return name
