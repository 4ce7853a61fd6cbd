"""Params are checked for every way to start a job: REST, Airflow's trigger, backfills, assets, tasks, command line."""

import contextvars
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient
from support.api_environment import definition as small
from support.api_environment import finish

from coinrequest.airflow.task_results import read_result

pytestmark = [pytest.mark.security, pytest.mark.usefixtures("airflow_app")]

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"
PARAMS = {
    "type": "object",
    "properties": {
        "coin": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "where": {"type": "object", "properties": {"depth": {"type": "integer", "default": 1}}},
        "note": {"type": "string"},
    },
    "required": ["coin"],
    "additionalProperties": False,
}
WRONG = [
    ({"coin": "BTC", "colour": "red"}, 422, "params.colour"),
    ({"coin": "btc"}, 422, "params.coin"),
    ({"coin": None}, 422, "params.coin"),
    ({}, 422, "params.coin"),
    (None, 422, "params.coin"),
    ({"coin": "BTC", "where": {"depth": "deep"}}, 422, "params.where.depth"),
    ({"coin": "x" * 70_000}, 413, "64 KiB"),
    ({"coin": "BTC", "note": "\x00"}, 422, "params.note"),
]


@contextmanager
def session() -> Iterator[Any]:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as opened:
        yield opened


@pytest.fixture
def job_type(op: TestClient, name: str) -> str:
    assert op.post(TYPES, json=small(name, params=PARAMS)).status_code == 201
    return name


def trigger(client: TestClient, name: str, conf: Any) -> Any:
    return client.post(f"/api/v2/dags/{name}/dagRuns", json={"logical_date": None, "conf": conf})


def jobs_of(client: TestClient, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(JOBS, params={"type": name}).json()["jobs"]
    return found


@pytest.mark.parametrize(("conf", "status", "said"), WRONG)
def test_airflows_trigger_refuses_the_params_that_our_route_refuses(
    op: TestClient, job_type: str, conf: Any, status: int, said: str
) -> None:
    answer = trigger(op, job_type, conf)
    assert jobs_of(op, job_type) == []
    # Airflow finds some errors itself, and responds with 400.
    assert answer.status_code in (400, status), answer.text
    assert answer.status_code == 400 or said in answer.json()["detail"]
    ours = op.post(f"{TYPES}/{job_type}/jobs", json={"params": conf} if conf is not None else {})
    assert ours.status_code == status


def test_params_from_airflows_form_are_accepted(op: TestClient, job_type: str) -> None:
    """The form cannot omit an optional field, and sends null."""
    assert trigger(op, job_type, {"coin": "BTC", "note": None, "where": None}).status_code == 200
    (job,) = jobs_of(op, job_type)
    assert job["origin"] == "airflow"


def test_dags_that_are_not_job_types_are_not_checked(op: TestClient, job_type: str) -> None:
    """A deleted type is no longer a job type, so the response is Airflow's own 404."""
    assert op.delete(f"{TYPES}/{job_type}").status_code == 204
    assert trigger(op, job_type, {"anything": 1}).status_code == 404


def test_a_backfill_with_wrong_params_creates_no_runs(op: TestClient, name: str) -> None:
    schema = {**PARAMS, "properties": {**PARAMS["properties"], "coin": {"type": "string", "default": "BTC"}}}
    document = small(name, params={**schema, "required": []}, schedule={"cron": "0 * * * *"})
    assert op.post(TYPES, json=document).status_code == 201
    now = datetime.now(UTC)
    wanted = {
        "dag_id": name,
        "from_date": (now - timedelta(hours=3)).isoformat(),
        "to_date": (now - timedelta(hours=1)).isoformat(),
        "dag_run_conf": {"colour": "red"},
    }
    answer = op.post("/api/v2/backfills", json=wanted)
    assert answer.status_code == 422, answer.text
    assert "params.colour" in answer.json()["detail"]
    assert jobs_of(op, name) == []
    # The refused backfill does not block the next one.
    answer = op.post("/api/v2/backfills", json={**wanted, "dag_run_conf": {"coin": "ETH"}})
    assert answer.status_code == 200, answer.text
    assert {job["params"]["coin"] for job in jobs_of(op, name)} == {"ETH"}


def test_an_asset_is_not_materialised_with_wrong_params(op: TestClient, job_type: str) -> None:
    follower = small(f"{job_type}-next", schedule={"after": [job_type]})
    assert op.post(TYPES, json=follower).status_code == 201
    assets = op.get("/api/v2/assets", params={"name_pattern": f"job-type/{job_type}"}).json()["assets"]
    address = f"/api/v2/assets/{assets[0]['id']}/materialize"
    answer = op.post(address, json={"conf": {"coin": "BTC", "colour": "red"}})
    assert (answer.status_code, jobs_of(op, job_type)) == (422, []), answer.text
    assert op.post(address, json={"conf": {"coin": "BTC"}}).status_code == 200


def test_a_task_cannot_trigger_a_run_with_wrong_params(airflow_app: Any, op: TestClient, job_type: str) -> None:
    from airflow.models.taskinstance import TaskInstance

    job = op.post(f"{TYPES}/{job_type}/jobs", json={"params": {"coin": "BTC"}}).json()["id"]
    with session() as opened:
        task = opened.query(TaskInstance).filter_by(dag_id=job_type, run_id=job).one()
        token = token_of(task.id)
    with TestClient(airflow_app, headers={"Authorization": f"Bearer {token}"}) as agent:
        wrong = agent.post(f"/execution/dag-runs/{job_type}/one", json={"conf": {"coin": "BTC", "colour": "red"}})
        right = agent.post(f"/execution/dag-runs/{job_type}/two", json={"conf": {"coin": "ETH"}})
    assert (wrong.status_code, right.status_code) == (422, 204), (wrong.text, right.text)
    assert "params.colour" in wrong.json()["detail"]
    assert len(jobs_of(op, job_type)) == 2


def token_of(task: Any) -> str:
    """Return a token such as the scheduler gives an agent with a task."""
    from airflow.api_fastapi.auth.tokens import JWTGenerator, get_signing_args
    from airflow.configuration import conf

    audience = conf.get_mandatory_list_value("execution_api", "jwt_audience")[0]
    generator = JWTGenerator(valid_for=60, audience=audience, **get_signing_args(make_secret_key_if_needed=False))
    return generator.generate({"sub": str(task)})


def test_our_own_route_checks_once(op: TestClient, job_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from coinrequest.airflow.api_server import run_checks

    asked: list[str] = []
    monkeypatch.setattr(run_checks, "_check", lambda _connection, dag_id, _conf: asked.append(dag_id))
    assert op.post(f"{TYPES}/{job_type}/jobs", json={"params": {"coin": "BTC"}}).status_code == 202
    assert asked == []
    assert trigger(op, job_type, {"coin": "BTC"}).status_code == 200
    assert asked == [job_type]


def test_the_database_limits_params_that_do_not_pass_the_web_server(op: TestClient, job_type: str) -> None:
    """Airflow's command line stores runs itself."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy.exc import DataError

    with pytest.raises(DataError, match="64 KiB"), without_run_checks():
        trigger_dag(job_type, triggered_by=DagRunTriggeredByType.CLI, conf={"coin": "BTC", "note": "x" * 8_000_000})
    assert jobs_of(op, job_type) == []
    job = op.post(f"{TYPES}/{job_type}/jobs", json={"params": {"coin": "BTC"}}).json()["id"]
    enlarge = text("UPDATE dag_run SET conf = to_jsonb(repeat('x', 600000)) WHERE run_id = :run")
    with session() as opened:
        with pytest.raises(DataError, match="64 KiB"):
            opened.execute(enlarge, {"run": job})
        opened.rollback()


@contextmanager
def without_run_checks() -> Iterator[None]:
    """Remove the checks, as in a process that is not a web server."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import event

    from coinrequest.airflow.api_server import run_checks

    event.remove(DagRun, "before_insert", run_checks._check_run)
    try:
        yield
    finally:
        run_checks.install()


class Instance:
    """A stub of the running task."""

    run_id = "r"
    try_number = 1

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def execute(conf: Any, **fields: Any) -> tuple[Any, str]:
    """Run the first task of a type as Airflow's task runner does; return its result, and why it failed."""
    from airflow.sdk.bases.operator import ExecutorSafeguard
    from airflow.sdk.exceptions import AirflowFailException

    from coinrequest.generator.dag import build_dag
    from coinrequest.jobtypes.definition import load_definition

    dag = build_dag(load_definition(small("a-type", params=PARAMS, **fields)), number=1)
    task: Any = dag.get_task("wait")
    run = SimpleNamespace(run_id="r", dag_id="a-type", run_after=datetime(2026, 3, 1, tzinfo=UTC), conf=conf)
    instance = Instance()
    around = contextvars.copy_context()
    around.run(ExecutorSafeguard.tracker.set, task)
    merged = {"coin": None, "note": None, "where": None, **(conf or {})}
    try:
        around.run(task.execute, {"dag": dag, "dag_run": run, "ti": instance, "params": merged})
    except AirflowFailException:
        return None, instance.pushed["coinrequest_failure"]["text"]
    return read_result(instance.pushed["return_value"]), ""


@pytest.mark.parametrize(("conf", "status", "said"), WRONG)
def test_a_run_with_unchecked_wrong_params_fails_before_its_first_action(
    conf: Any, status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coinrequest.actions.catalogue import find_action

    monkeypatch.setattr(find_action("integer.wait"), "run", lambda *_: pytest.fail("the action ran"))
    result, reason = execute(conf)
    assert result is None
    assert reason.startswith("the run was started with params that do not fit")
    assert said in reason


def test_a_task_sees_the_same_defaults_as_over_rest() -> None:
    wait = {"id": "wait", "action": "integer.wait", "inputs": {"value": "{{ params.where.depth }}"}}
    result, reason = execute({"coin": "BTC", "where": {}, "note": None}, tasks=[wait])
    assert (reason, result["value"]) == ("", 1)


def test_a_list_omits_large_params(op: TestClient, job_type: str) -> None:
    address = f"{TYPES}/{job_type}/jobs"
    texts = {"small": "x" * 900, "large": "x" * 60_000}
    ids = {
        key: op.post(address, json={"params": {"coin": "BTC", "note": note}}).json()["id"]
        for key, note in texts.items()
    }
    listed = {job["id"]: job for job in jobs_of(op, job_type)}
    assert listed[ids["small"]]["params"] == {"coin": "BTC", "note": texts["small"]}
    assert (listed[ids["small"]]["params_omitted"], listed[ids["large"]]["params_omitted"]) == (False, True)
    assert listed[ids["large"]]["params"] is None
    alone = op.get(f"{JOBS}/{ids['large']}").json()
    assert (alone["params"]["note"], alone["params_omitted"]) == (texts["large"], False)


def test_a_list_of_jobs_with_huge_params_is_small_and_fast(op: TestClient, job_type: str) -> None:
    """Also with params stored before there was a limit: the size is known without reading the value."""
    job = op.post(f"{TYPES}/{job_type}/jobs", json={"params": {"coin": "BTC"}}).json()["id"]
    with session() as opened:
        opened.execute(text("ALTER TABLE dag_run DISABLE TRIGGER coinrequest_bound_params"))
        opened.execute(
            text(
                "UPDATE dag_run SET conf = jsonb_build_object('note', (SELECT string_agg(md5(i::text), '')"
                " FROM generate_series(1, 262144) AS i)) WHERE run_id = :run"
            ),
            {"run": job},
        )
        for _ in range(8):
            copy_run(opened, job, str(uuid.uuid4()))
        opened.execute(text("ALTER TABLE dag_run ENABLE TRIGGER coinrequest_bound_params"))
    began = time.perf_counter()
    answer = op.get(JOBS, params={"type": job_type, "limit": 100})
    took = time.perf_counter() - began
    assert len(answer.json()["jobs"]) == 9
    assert len(answer.content) < 20_000
    assert took < 1
    alone = op.get(f"{JOBS}/{job}").json()
    assert (alone["params"], alone["params_omitted"]) == (None, True)


def copy_run(opened: Any, run: str, new: str) -> None:
    """Insert a copy of a run; the trigger creates its job."""
    columns = opened.scalars(
        text(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND table_name = 'dag_run' AND is_generated = 'NEVER'"
        )
    ).all()
    kept = ", ".join(column for column in columns if column not in ("id", "run_id", "logical_date"))
    opened.execute(
        text(  # names of columns, from the catalogue
            f"INSERT INTO dag_run (run_id, {kept}) SELECT :new, {kept} FROM dag_run WHERE run_id = :run"  # noqa: S608
        ),
        {"new": new, "run": run},
    )


def test_a_list_of_url_tests_shortens_urls_to_the_limit_of_the_type(op: TestClient) -> None:
    from coinrequest.jobs.url_tests import JOB_TYPE
    from coinrequest.jobtypes.document import load_document
    from coinrequest.stack.layout import project_root

    source = (project_root() / "coinrequest/install/job_types/url-test.yaml").read_bytes()
    op.put(f"{TYPES}/{JOB_TYPE}", json=load_document(source, "application/yaml"))
    assert op.post(f"{TYPES}/{JOB_TYPE}/resume").status_code == 200
    answer = op.post("/jobs/v1/add_job", json={"url": "http://example.org/mark"})
    assert answer.status_code == 202, answer.text
    job = answer.json()["job_id"]
    with session() as opened:
        opened.execute(
            text("UPDATE dag_run SET conf = jsonb_build_object('url', repeat('x', 100000)) WHERE run_id = :run"),
            {"run": job},
        )
    finish(JOB_TYPE, job, "failed")
    found = op.get("/jobs/v1/get_jobs", params={"limit": 1}).json()
    assert len(found[0]["url"]) == 8192


def test_the_size_of_all_defaults_is_limited(op: TestClient, name: str) -> None:
    long = {"type": "string", "default": "x" * 30_000}
    schema = {
        "type": "object",
        "$defs": {"long": long},
        "properties": {f"p{number}": {"$ref": "#/$defs/long"} for number in range(8)},
    }
    answer = op.post(TYPES, json=small(name, params=schema))
    assert answer.status_code == 422, answer.text
    assert [(error["field"], error["message"]) for error in answer.json()["errors"]] == [
        ("params", "the defaults take 240,080 bytes together; the limit of params is 65,536")
    ]
