"""Numbers in params come back exactly, by whichever way a job was started; the tests read the raw text of answers."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient
from support.airflow_runs import JOBS, TYPES, backfill, jobs_of, trigger
from support.api_environment import definition as small

from coinrequest.airflow.session import airflow_session

pytestmark = pytest.mark.usefixtures("airflow_app")

WEI = 123_456_789_012_345_678_901_234_567_890
NUMBERS: dict[str, Any] = {
    "wei": WEI,
    "negative": -(2**64),
    "id": 2**53 + 1,
    "unsigned": 2**64 - 1,
    "large": 1e22,
    "larger": 1.5e300,
    "tiny": 5e-324,
    "price": 1e-20,
    "whole": 3.0,
    "zero": -0.0,
    "digits": 10**4299,
    "list": [WEI, 1e22, {"$number": "5"}, {"$$number": 1e22}],
    "nested": {"amounts": {"eth": WEI}},
}
SCHEMA = {
    "type": "object",
    "properties": {
        "any": {},
        "wei": {"type": "integer", "minimum": 10**29, "default": WEI},
        "options": {"type": "object", "properties": {"fee": {"type": "number", "default": 1e22}}, "default": {}},
    },
}
DEFAULTS = {"wei": WEI, "options": {"fee": 1e22}}


@pytest.fixture
def job_type(op: TestClient, name: str) -> str:
    answer = op.post(TYPES, json=small(name, params=SCHEMA))
    assert answer.status_code == 201, answer.text
    assert json.dumps(op.get(f"{TYPES}/{name}").json()["definition"]["params"]) == json.dumps(SCHEMA)
    return name


def exact(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def stored(run: str) -> Any:
    with airflow_session() as session:
        statement = text("SELECT conf::text FROM dag_run WHERE run_id = :run")
        return json.loads(session.execute(statement, {"run": run}).scalar_one())


def has_large_numbers(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(has_large_numbers, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and abs(value) > 2**53


def test_numbers_come_back_as_they_were_sent(op: TestClient, job_type: str) -> None:
    answer = op.post(f"{TYPES}/{job_type}/jobs", json={"params": {"any": NUMBERS}})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert exact(job["params"]) == exact({**DEFAULTS, "any": NUMBERS})
    assert exact(op.get(f"{JOBS}/{job['id']}").json()["params"]) == exact(job["params"])
    assert not has_large_numbers(stored(job["id"]))
    (listed,) = jobs_of(op, job_type)
    assert listed["params_omitted"] or exact(listed["params"]) == exact(job["params"])


def test_the_same_number_under_a_key_is_the_same_job(op: TestClient, job_type: str) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    address = f"{TYPES}/{job_type}/jobs"
    first, again, other = (
        op.post(address, json={"params": {"any": value}}, headers=key) for value in (WEI, WEI, WEI + 1)
    )
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409), other.text
    assert first.json()["id"] == again.json()["id"]


@pytest.mark.parametrize("conf", [{"any": NUMBERS}, {"any": {"$number": str(WEI)}}, {}])
def test_airflows_trigger_carries_them(op: TestClient, job_type: str, conf: Any) -> None:
    answer = trigger(op, job_type, conf=conf)
    assert answer.status_code == 200, answer.text
    run = answer.json()["dag_run_id"]
    assert not has_large_numbers(stored(run))
    (job,) = jobs_of(op, job_type)
    wanted = {"any": WEI} if conf.get("any") == {"$number": str(WEI)} else conf
    params = op.get(f"{JOBS}/{job['id']}").json()["params"]
    # Airflow's own client reads a mark as the number that it is.
    wanted = json.loads(json.dumps(wanted).replace('{"$number": "5"}', "5").replace("$$number", "$number"))
    assert exact({name: params[name] for name in wanted}) == exact(wanted)
    # What Airflow shows of a run can be sent again.
    again = trigger(op, job_type, conf=answer.json()["conf"])
    assert stored(again.json()["dag_run_id"]) == stored(run)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # Airflow's own, for a field of its answer
def test_airflow_shows_a_default_that_its_form_can_send_back(op: TestClient, job_type: str) -> None:
    shown = op.get(f"/api/v2/dags/{job_type}/details").json()["params"]
    assert shown["wei"]["value"] == {"$number": str(WEI)}
    form = {name: param["value"] for name, param in shown.items()}
    assert trigger(op, job_type, conf=form).status_code == 200
    (job,) = jobs_of(op, job_type)
    assert exact({key: job["params"][key] for key in DEFAULTS}) == exact(DEFAULTS)


def test_an_asset_and_a_task_carry_them(airflow_app: Any, op: TestClient, job_type: str) -> None:
    follower = small(f"{job_type}-next", params=SCHEMA, schedule={"after": [job_type]})
    assert op.post(TYPES, json=follower).status_code == 201
    assets = op.get("/api/v2/assets", params={"name_pattern": f"job-type/{job_type}"}).json()["assets"]
    answer = op.post(f"/api/v2/assets/{assets[0]['id']}/materialize", json={"conf": {"any": NUMBERS["wei"]}})
    assert answer.status_code == 200, answer.text
    assert stored(answer.json()["dag_run_id"]) == {"any": {"$number": str(WEI)}}


def test_a_backfill_carries_marked_numbers_and_names_the_mark(op: TestClient, name: str) -> None:
    document = small(name, params=SCHEMA, schedule={"cron": "0 * * * *"})
    assert op.post(TYPES, json=document).status_code == 201
    refused = backfill(op, name, dag_run_conf={"any": WEI})
    assert (refused.status_code, jobs_of(op, name)) == (422, []), refused.text
    assert '{"$number": "1e22"}' in refused.json()["detail"]
    for behaviour in ("none", "completed"):
        answer = backfill(op, name, dag_run_conf={"any": {"$number": str(WEI)}}, reprocess_behavior=behaviour)
        assert answer.status_code == 200, answer.text
        with airflow_session() as session:
            session.execute(text("UPDATE dag_run SET state = 'success' WHERE dag_id = :name"), {"name": name})
            session.execute(text("UPDATE backfill SET completed_at = now()"))
    assert {exact(job["params"]["any"]) for job in jobs_of(op, name)} == {str(WEI)}


def test_a_scheduled_type_has_them_in_its_defaults(op: TestClient, name: str) -> None:
    document = small(name, params=SCHEMA, schedule={"every": "1h"})
    assert op.post(TYPES, json=document).status_code == 201
    from airflow.models.dagbag import DBDagBag
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    now = datetime.now(UTC) - timedelta(hours=1)
    with airflow_session() as session:
        dag: Any = DBDagBag().get_latest_version_of_dag(name, session=session)
        dag.create_dagrun(
            run_id=f"scheduled__{now.isoformat()}",
            logical_date=now,
            data_interval=(now, now),
            run_after=now,
            run_type=DagRunType.SCHEDULED,
            triggered_by=DagRunTriggeredByType.TIMETABLE,
            state=DagRunState.QUEUED,
            session=session,
        )
    (job,) = jobs_of(op, name)
    assert job["state"] == "queued"


@pytest.mark.parametrize(
    ("conf", "is_stored"),
    [
        ('{"any": 1e22}', False),
        ('{"any": [{"a": -9223372036854775809}]}', False),
        ('{"any": 9223372036854775808}', False),
        ('{"any": 9223372036854775807}', True),
        ('{"any": -9223372036854775808}', True),
        ('{"any": 0.1234567890123456789012}', True),
        ('{"any": "12345678901234567890"}', True),
        ('{"any": {"$number": "1e22"}}', True),
        ("null", True),
    ],
)
def test_the_database_refuses_what_a_task_could_not_read(
    op: TestClient, job_type: str, conf: str, is_stored: bool
) -> None:
    """Airflow's command line stores runs itself, without a web server that could mark numbers."""
    from sqlalchemy.exc import DataError

    job = op.post(f"{TYPES}/{job_type}/jobs", json={}).json()["id"]
    statement = text("UPDATE dag_run SET conf = CAST(:conf AS jsonb) WHERE run_id = :run")
    with airflow_session() as session:
        if is_stored:
            session.execute(statement, {"conf": conf, "run": job})
            return
        with pytest.raises(DataError, match=r'write it as \{"\$number": "1e22"\}'):
            session.execute(statement, {"conf": conf, "run": job})
        session.rollback()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("wei", 1, f"must be at least {10**29}"),
        ("wei", 1e30 + 0.5, None),
        ("wei", WEI + 0.5, None),
    ],
)
def test_a_number_that_does_not_fit_is_refused(
    op: TestClient, job_type: str, field: str, value: Any, message: str | None
) -> None:
    answer = op.post(f"{TYPES}/{job_type}/jobs", json={"params": {field: value}})
    if message is None:
        assert answer.status_code == 202, answer.text
        return
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": f"params.{field}", "message": message}]
