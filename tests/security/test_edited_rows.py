"""A row that was edited, in Airflow or in the database, affects no other job.

Each case spoils one stored value, then calls every reading route and one pass of each background worker.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.testclient import TestClient
from support import api_environment as environment

from coinrequest.jobtypes.document import load_document
from coinrequest.notices.policy import Policy

pytestmark = pytest.mark.security

JOBS, TYPE = "/jobs/v1/jobs", "url-test"
BUILTIN = Path(__file__).parents[2] / "coinrequest" / "install" / "job_types"
DEEP = "[" * 5000 + "]" * 5000
DEEPER = "[" * 100_000 + "]" * 100_000
HUGE = json.dumps("x" * 8_000_000)
LONG_NUMBER = "9" * 5000


def sql(statement: str, **values: Any) -> list[Any]:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        result = session.execute(text(statement), values)
        return list(result) if result.returns_rows else []


@dataclass(frozen=True)
class Victims:
    """Jobs of one type: the one that is edited, an untouched one, a running one and a failed one; and a notice."""

    spoilt: str
    other: str
    running: str
    failed: str
    waiting: str
    notice: str
    revision: int


@dataclass(frozen=True)
class Case:
    """An edited value of one column of one row."""

    table: str
    column: str
    where: str
    value: str


@pytest.fixture(scope="module")
def victims(op: TestClient) -> Victims:
    definition = load_document((BUILTIN / "url-test.yaml").read_bytes(), "application/yaml", 65536)
    registered = op.put(f"/jobs/v1/job-types/{TYPE}", json=definition)
    assert registered.status_code in (200, 201)

    def job() -> str:
        callback = {"url": "https://example.org/hook", "secret": f"whsec_{'a' * 40}"}
        body = {"params": {"url": "https://example.org/"}, "labels": {"team": "data"}, "callback": callback}
        answer = op.post(f"/jobs/v1/job-types/{TYPE}/jobs", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    spoilt, other, running, failed, waiting = job(), job(), job(), job(), job()
    task = definition["tasks"][0]["id"]
    for one in (spoilt, other):
        environment.finish(TYPE, one, outputs={task: json.dumps({"result": "200", "url": "https://example.org/"})})
    environment.finish(TYPE, failed, "failed")
    sql("UPDATE dag_run SET state = 'running', start_date = now() WHERE run_id = :id", id=running)
    sql("UPDATE task_instance SET state = 'running', start_date = now(), try_number = 1 WHERE run_id = :id", id=running)
    leave(running, "coinrequest_progress", {})
    leave(failed, "coinrequest_failure", {"text": "it is so", "attempt": 0})
    expand()
    notice = sql("SELECT min(id::text) AS id FROM coinrequest_notice WHERE job_id = :job", job=spoilt)[0].id
    return Victims(spoilt, other, running, failed, waiting, notice, registered.json()["revision"])


def leave(run_id: str, key: str, content: Any) -> None:
    """Store the XComs of a task beside its result, as Airflow stores them."""
    sql(
        "INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)"
        " SELECT run.id, task.task_id, -1, :key, task.dag_id, task.run_id, CAST(:value AS jsonb), now()"
        " FROM task_instance AS task JOIN dag_run AS run USING (dag_id, run_id) WHERE task.run_id = :run_id",
        **{"key": key, "run_id": run_id, "value": json.dumps(json.dumps(content))},
    )


def expand() -> None:
    from airflow.utils.session import create_session

    from coinrequest.notices.outbox import expand

    with create_session(scoped=False) as session:
        while expand(session):
            pass


JSON_VALUES = {
    "no JSON": '"{no json"',
    "a list": "[1]",
    "a text": '"text"',
    "a number": "7",
    "null": "null",
    "true": "true",
    "NaN as text": '"NaN"',
    "an infinite number as text": json.dumps('{"result": Infinity}'),
    "half a surrogate as text": json.dumps(json.dumps({"result": "\ud800", "text": "\ud800", "attempt": 0})),
    "deep": DEEP,
    "deep as text": json.dumps(DEEPER),
    "8 MB": HUGE,
    "a long number": LONG_NUMBER,
    "a long number as text": json.dumps(LONG_NUMBER),
    "objects in it": '{"result": {"a": [1]}, "text": [], "url": {}, "on": 1, "team": {"a": 1}, "done": "x"}',
    "nulls in it": '{"result": null, "text": null, "url": null, "on": null, "secret_connection": 5, "team": null}',
    "other fields": '{"a": 1}',
}
JSON_COLUMNS = {
    "result": ("xcom", "value", "run_id = '{spoilt}' AND key = 'return_value'"),
    "progress": ("xcom", "value", "run_id = '{running}' AND key = 'coinrequest_progress'"),
    "failure": ("xcom", "value", "run_id = '{failed}' AND key = 'coinrequest_failure'"),
    "conf": ("dag_run", "conf", "run_id = '{spoilt}'"),
    "labels": ("coinrequest_job", "labels", "id = '{spoilt}'"),
    "callback": ("coinrequest_job", "callback", "id = '{spoilt}'"),
}
TEXTS = {"empty": "", "odd": "\u202e<b>'\"\\{x}%s\r\n", "no JSON": "{no json", "a list": "[]"}
TEXT_COLUMNS = {
    "secret": ("coinrequest_job", "callback_secret", "id = '{spoilt}'"),
    "state": ("coinrequest_job", "state", "id = '{spoilt}'"),
    "origin": ("coinrequest_job", "origin", "id = '{spoilt}'"),
    "submitter": ("coinrequest_job", "submitted_by", "id = '{spoilt}'"),
    "reason": ("coinrequest_job", "cancel_reason", "id = '{spoilt}'"),
    "run": ("coinrequest_job", "run_id", "id = '{spoilt}'"),
    "document": ("coinrequest_revision", "document", "number = {revision}"),
    "change": ("coinrequest_revision", "change", "number = {revision}"),
    "author": ("coinrequest_revision", "author", "number = {revision}"),
    "notice's kind": ("coinrequest_notice", "kind", "id = '{notice}'"),
    "notice's state": ("coinrequest_notice", "state", "id = '{notice}'"),
    "notice's destination": ("coinrequest_notice", "destination", "id = '{notice}'"),
    "notice's body": ("coinrequest_notice", "body", "id = '{notice}'"),
    "notice's secret": ("coinrequest_notice", "secret", "id = '{notice}'"),
    "task": ("task_instance", "task_id", "run_id = '{waiting}'"),
    "task's state": ("task_instance", "state", "run_id = '{failed}'"),
}
OTHERS = {
    "cancelled without a time": (*TEXT_COLUMNS["state"], "cancelled"),
    "an address that is none": (*TEXT_COLUMNS["notice's destination"], "https://[::1/x"),
    "an address of 8 MB": (*TEXT_COLUMNS["notice's destination"], f"https://{'x' * 8_000_000}"),
    "no revision": ("coinrequest_job", "revision", "id = '{spoilt}'", "-5"),
    "no priority": ("coinrequest_job", "priority", "id = '{spoilt}'", "-2147483648"),
    "a deep document": (*TEXT_COLUMNS["document"], f'{{"name": "url-test", "tasks": {DEEPER}}}'),
    "a document without tasks": (*TEXT_COLUMNS["document"], '{"tasks": [], "tags": 5, "schedule": 7}'),
    "a document with odd tasks": (*TEXT_COLUMNS["document"], '{"tasks": [7, NaN], "result": [], "tags": [[]]}'),
    "a document with half a surrogate": (*TEXT_COLUMNS["document"], '{"tasks": ["\\ud800"], "description": "\\ud800"}'),
    "an index below none": ("task_instance", "map_index", "run_id = '{waiting}'", "-7"),
    "no attempts": ("task_instance", "try_number", "run_id = '{failed}'", "-1"),
    "a counter that is no number": (
        "coinrequest_tally",
        "value",
        "measure = 'completed' AND label = 'failed' AND job_type = 'url-test'",
        "NaN",
    ),
    "submitted for ever": ("coinrequest_job", "submitted_at", "id = '{spoilt}'", "infinity"),
    "ended for ever": ("coinrequest_job", "ended_at", "id = '{spoilt}'", "infinity"),
    "ended before all time": ("coinrequest_job", "ended_at", "id = '{spoilt}'", "4000-01-01 BC"),
    "to start in 20,000 years": ("coinrequest_job", "run_after", "id = '{spoilt}'", "22000-01-01"),
    "tried for ever": ("coinrequest_notice", "give_up_at", "id = '{notice}'", "infinity"),
    "made for ever": ("coinrequest_notice", "created_at", "id = '{notice}'", "-infinity"),
    "a revision for ever": ("coinrequest_revision", "created_at", "number = {revision}", "infinity"),
    "a task for ever": ("task_instance", "start_date", "run_id = '{running}'", "infinity"),
    "a failure for ever": ("task_instance", "end_date", "run_id = '{failed}'", "infinity"),
}
CASES = {
    f"{name}: {what}": (*place, value)
    for columns, values in ((JSON_COLUMNS, JSON_VALUES), (TEXT_COLUMNS, TEXTS))
    for name, place in columns.items()
    for what, value in values.items()
} | OTHERS


@pytest.fixture(params=[pytest.param(Case(*case), id=name) for name, case in CASES.items()])
def spoilt(request: pytest.FixtureRequest, victims: Victims) -> Iterator[Case]:
    """Edit one value for the duration of the test."""
    case: Case = request.param
    where = case.where.format(**asdict(victims))
    kind = sql(
        "SELECT format_type(atttypid, atttypmod) AS name FROM pg_attribute"
        " WHERE attrelid = CAST(:table AS regclass) AND attname = :column",
        **{"table": case.table, "column": case.column},
    )[0].name
    (row,) = sql(f"SELECT {case.column}::text AS value FROM {case.table} WHERE {where}")  # noqa: S608 - of constants alone
    try:
        put(case, where, kind, case.value)
    except DBAPIError as error:
        pytest.skip(f"PostgreSQL does not store it: {error.orig}")
    yield case
    # The sweep has made a job of a run that had none meanwhile.
    known = [victims.spoilt, victims.other, victims.running, victims.failed, victims.waiting]
    sql("DELETE FROM coinrequest_job WHERE job_type = :type AND id::text <> ALL(:known)", type=TYPE, known=known)
    put(case, where, kind, row.value)


def put(case: Case, where: str, kind: str, value: str) -> None:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        # Revisions are append-only; the owner of the table can do what this does.
        session.execute(text(f"ALTER TABLE {case.table} DISABLE TRIGGER USER"))
        session.execute(
            text(f"UPDATE {case.table} SET {case.column} = CAST(:value AS {kind}) WHERE {where}"),  # noqa: S608 - of constants alone
            {"value": value},
        )
        session.execute(text(f"ALTER TABLE {case.table} ENABLE TRIGGER USER"))


def strictly(answer: Any) -> Any:
    """Return the content, which has to be standard JSON."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(answer.content.decode(), parse_constant=refuse)


@pytest.fixture(scope="module")
def addresses(op: TestClient, victims: Victims) -> list[str]:
    """All our routes that read the jobs that may be edited."""
    found = []
    for path, methods in op.get("/jobs/openapi.json").json()["paths"].items():
        if "get" not in methods:
            continue
        address = "/jobs" + path.removeprefix("/jobs")
        query = f"?from={victims.revision}" if path.endswith("/diff") else ""
        for job in (victims.spoilt, victims.running, victims.failed, victims.waiting) if "{id}" in path else ("",):
            name = "url.test" if "/actions/" in path else TYPE
            found.append(address.format(id=job, name=name, number=victims.revision) + query)
    assert len(found) > 20
    return found


def test_no_response_is_a_server_error_and_other_jobs_are_unchanged(
    op: TestClient, addresses: list[str], victims: Victims, spoilt: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coinrequest.api.routes.job_events.LONGEST_STREAM", 0.05)
    faults = {}
    for address in addresses:
        answer = op.get(address)
        if answer.status_code not in (200, 204, 404, 409, 503 if address.endswith("/agents") else 200):
            faults[address] = f"{answer.status_code} {answer.text[:200]}"
        elif answer.headers.get("content-type", "").startswith("application/json"):
            strictly(answer)
    assert faults == {}
    jobs = {job["id"]: job for job in strictly(op.get(f"{JOBS}?type={TYPE}"))["jobs"]}
    assert set(jobs) >= {victims.spoilt, victims.other, victims.running, victims.failed}
    other = jobs[victims.other]
    assert (other["params"], other["labels"]) == ({"url": "https://example.org/"}, {"team": "data"})
    assert other["callback"]["on"] == ["success", "failure"]
    tested = strictly(op.get("/jobs/v1/get_jobs?limit=100"))
    assert [test for test in tested if (test["url"], test["result"]) == ("https://example.org/", "200")]


def test_no_worker_stops_and_notices_of_other_jobs_are_sent(victims: Victims, spoilt: Case) -> None:
    from airflow.utils.session import create_session

    from coinrequest.airflow import run_sweep
    from coinrequest.jobs import feed, url_tests
    from coinrequest.metrics import cloudwatch, snapshot
    from coinrequest.notices.dispatch import Dispatcher

    sql("UPDATE coinrequest_notice SET next_attempt_at = now(), state = 'pending' WHERE state = 'pending'")
    sql(
        "INSERT INTO coinrequest_completion (job_id, state, ended_at) VALUES"
        " (:spoilt, 'success', now()), (:failed, 'failed', now()), (:other, 'success', now())",
        **{"spoilt": victims.spoilt, "failed": victims.failed, "other": victims.other},
    )
    notices = "SELECT id FROM coinrequest_notice WHERE job_id = :job"
    before = {row.id for row in sql(notices, job=victims.other)}
    expand()
    assert not sql("SELECT 1 FROM coinrequest_completion"), "the outbox stands still"
    made = {row.id for row in sql(notices, job=victims.other)} - before
    assert len(made) == 1, "the other job's notice is missing"
    assert {claim.id for claim in Dispatcher(None, policy=Policy(threads=1000, per_receiver=1000))._claim()} >= made
    with create_session(scoped=False) as session:
        run_sweep.sweep(session)
        snapshot.take(session)
        snapshot.retained(session)
        cloudwatch.read(session)
        followed = [UUID(victims.spoilt), UUID(victims.other), UUID(victims.running)]
        feed.snapshots(session, followed, with_tasks=True)
        assert url_tests.done(session, limit=100)
