"""Submitting jobs: options, refusals and repeated submissions."""

import base64
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import definition as small

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"
SECRET = "whsec_" + base64.b64encode(b"0123456789" * 3).decode()
HOOK = "https://example.org/hook"


@pytest.fixture
def jobs_of(op: TestClient, name: str) -> str:
    """The route that submits jobs of a new type."""
    assert op.post(TYPES, json=small(name)).status_code == 201
    return f"{TYPES}/{name}/jobs"


def fields(answer: Any) -> set[str]:
    return {error["field"] for error in answer.json()["errors"]}


def test_all_options_are_returned(op: TestClient, jobs_of: str, name: str) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    body = {
        "priority": 7,
        "run_after": later.isoformat(),
        "labels": {"team": "data", "cost/centre": "é:1"},
        "callback": {"url": HOOK, "on": ["failure"], "secret": {"connection": "hook"}},
    }
    job = op.post(jobs_of, json=body).json()
    assert job["priority"] == 7
    assert datetime.fromisoformat(job["run_after"]) == later
    assert job["labels"] == body["labels"]
    assert job["callback"] == {"url": HOOK, "on": ["failure"], "connection": "hook"}
    assert job["origin"] == "rest"
    assert job["cancelled"] is None
    assert op.get(f"{JOBS}/{job['id']}").json() == job
    instances = op.get(f"/api/v2/dags/{name}/dagRuns/{job['id']}/taskInstances").json()["task_instances"]
    assert [instance["priority_weight"] for instance in instances] == [7]


def test_every_link_of_a_job_works(op: TestClient, jobs_of: str) -> None:
    links = op.post(jobs_of, json={}).json()["links"]
    assert set(links) == {"self", "job_type", "events", "log", "notices", "cancel", "retry"}
    paths = {path.replace("{id}", "x").replace("{name}", "x") for path in op.get("/jobs/openapi.json").json()["paths"]}
    for link in set(links) - {"self", "job_type"}:
        assert f"/v1/jobs/x/{link}" in paths
    assert op.get(links["self"]).status_code == op.get(links["job_type"]).status_code == 200


def test_a_secret_is_never_shown_and_stored_encrypted(
    op: TestClient, jobs_of: str, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    answer = op.post(jobs_of, json={"callback": {"url": HOOK, "secret": SECRET}})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    listed = op.get(f"{JOBS}?type={job['job_type']}")
    assert SECRET not in answer.text + op.get(f"{JOBS}/{job['id']}").text + listed.text + caplog.text
    with create_session(scoped=False) as session:
        row = session.execute(text("SELECT * FROM coinrequest_job WHERE id = :id"), {"id": job["id"]}).one()
    assert SECRET not in {str(value) for name, value in row._mapping.items() if name != "callback_secret"}
    assert row.callback_secret


BAD: dict[str, tuple[dict[str, Any], set[str]]] = {
    "an unknown field": ({"prority": 1}, {"prority"}),
    "a priority as text": ({"priority": "7"}, {"priority"}),
    "priorities out of bounds": ({"priority": 1001}, {"priority"}),
    "no priority": ({"priority": True}, {"priority"}),
    "21 labels": ({"labels": {f"l{number}": "x" for number in range(21)}}, {"labels"}),
    "a bad label name": ({"labels": {"a b": "x", "team": "ok"}}, {"labels.a b"}),
    "a long label name": ({"labels": {"a" * 64: "x"}}, {f"labels.{'a' * 64}"}),
    "a bad label value": ({"labels": {"team": "a\nb"}}, {"labels.team"}),
    "a number as a label": ({"labels": {"team": 3}}, {"labels.team"}),
    "no URL": ({"callback": {}}, {"callback.url"}),
    "plain http": ({"callback": {"url": "http://example.org/"}}, {"callback.url"}),
    "a private address": ({"callback": {"url": "https://10.1.2.3/"}}, {"callback.url"}),
    "the cloud's metadata": ({"callback": {"url": "https://169.254.169.254/"}}, {"callback.url"}),
    "no URL at all": ({"callback": {"url": "example"}}, {"callback.url"}),
    "an unknown end": ({"callback": {"url": HOOK, "on": ["succes"]}}, {"callback.on[0]"}),
    "no end": ({"callback": {"url": HOOK, "on": []}}, {"callback.on"}),
    "an end twice": ({"callback": {"url": HOOK, "on": ["failure", "failure"]}}, {"callback.on"}),
    "a short secret": ({"callback": {"url": HOOK, "secret": "whsec_c2hvcnQ="}}, {"callback.secret"}),
    "another secret": ({"callback": {"url": HOOK, "secret": "hunter2"}}, {"callback.secret"}),
    "a bad connection": ({"callback": {"url": HOOK, "secret": {"connection": "a b"}}}, {"callback.secret.connection"}),
    "a key's option without a key": ({"idempotency": {"free_on_failure": True}}, {"idempotency"}),
    "all at once": (
        {"prority": 1, "priority": 0, "callback": {"on": ["x"]}, "labels": {"é": "x"}},
        {"prority", "priority", "callback.url", "callback.on[0]", "labels.é"},
    ),
}


@pytest.fixture(scope="module")
def settled(op: TestClient) -> str:
    """The route that submits jobs of a type that exists before the tables are compared."""
    assert op.post(TYPES, json=small("submission-settled")).status_code == 201
    return f"{TYPES}/submission-settled/jobs"


@pytest.mark.parametrize("case", BAD)
def test_a_bad_field_is_named_and_starts_nothing(
    op: TestClient, settled: str, tables_unchanged: None, case: str
) -> None:
    body, wrong = BAD[case]
    answer = op.post(settled, json=body)
    assert answer.status_code == 422, answer.text
    assert fields(answer) == wrong


def test_the_nearest_field_is_suggested(op: TestClient, settled: str) -> None:
    errors = op.post(settled, json={"prority": 1, "callback": {"urll": HOOK}}).json()["errors"]
    assert {error["field"]: error["message"] for error in errors}["prority"].endswith("did you mean 'priority'?")
    assert any("'url'" in error["message"] for error in errors if error["field"] == "callback.urll")


def test_a_refused_secret_is_not_repeated(op: TestClient, settled: str) -> None:
    answer = op.post(settled, json={"callback": {"url": HOOK, "secret": "whsec_hunter2"}})
    assert "hunter2" not in answer.text


def test_a_callback_may_be_in_an_allowed_network(op: TestClient, jobs_of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "127.0.0.0/8, hooks.internal")
    for url in ("http://127.0.0.1:8000/", "http://hooks.internal/x"):
        assert op.post(jobs_of, json={"callback": {"url": url}}).status_code == 202


def test_a_private_webhook_of_a_definition_is_refused_at_registration(
    op: TestClient, name: str, tables_unchanged: None
) -> None:
    notify = [{"on": ["success"], "channel": True}, {"on": ["failure"], "webhook": "http://10.0.0.1/hook"}]
    answer = op.post(TYPES, json=small(name, notify=notify))
    assert answer.status_code == 422
    assert fields(answer) == {"notify[1].webhook"}


def submit(client: TestClient, address: str, key: str, **body: Any) -> Any:
    return client.post(address, json=body, headers={"Idempotency-Key": key})


def test_a_repeated_submission_gets_the_same_response(op: TestClient, jobs_of: str) -> None:
    key = uuid.uuid4().hex
    first = submit(op, jobs_of, key, labels={"a": "b"})
    again = submit(op, jobs_of, key, labels={"a": "b"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb"])
def test_a_key_must_be_short_printable_text(op: TestClient, settled: str, tables_unchanged: None, key: str) -> None:
    answer = op.post(settled, json={}, headers={"Idempotency-Key": key.encode("latin-1")})
    assert answer.status_code == 422
    assert fields(answer) == {"Idempotency-Key"}
