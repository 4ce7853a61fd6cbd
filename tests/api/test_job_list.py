"""Listing jobs: filters and pages."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from support.api_environment import Clients, finish
from support.api_environment import definition as small

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"


@pytest.fixture
def submit(op: TestClient, client_of: Clients, name: str) -> Any:
    """A function that submits a job of a fresh type and returns its id."""
    assert op.post(TYPES, json=small(name)).status_code == 201

    def start(role: str = "Op", **body: Any) -> str:
        answer = client_of(role).post(f"{TYPES}/{name}/jobs", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    return start


def found(op: TestClient, name: str, query: str = "") -> list[str]:
    answer = op.get(f"{JOBS}?type={name}{query}")
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


def test_all_labels_must_match(op: TestClient, name: str, submit: Any) -> None:
    both = submit(labels={"team": "data", "cost/centre": "a:b é"})
    one = submit(labels={"team": "data"})
    submit(labels={"team": "web"})
    assert found(op, name, "&label=team:data") == [one, both]
    assert found(op, name, f"&label=team:data&label={quote('cost/centre:a:b é')}") == [both]
    assert found(op, name, "&label=team:dat") == []
    assert found(op, name, "&label=team:") == []


def test_jobs_are_filtered_by_time_of_submission(op: TestClient, name: str, submit: Any) -> None:
    ids = [submit() for _ in range(3)]
    times = [quote(op.get(f"{JOBS}/{job}").json()["submitted_at"]) for job in ids]
    assert found(op, name, f"&since={times[1]}") == [ids[2], ids[1]]
    assert found(op, name, f"&until={times[1]}") == [ids[0]]
    assert found(op, name, f"&since={times[1]}&until={times[2]}") == [ids[1]]
    elsewhere = quote((datetime.now(UTC) + timedelta(hours=1)).astimezone().isoformat())
    assert found(op, name, f"&since={elsewhere}") == []
    assert found(op, name, "&since=0001-01-01T00:00:00%2B14:00&until=9999-12-31T23:59:59-14:00") == ids[::-1]


def statements_of(call: Callable[[], Any]) -> list[str]:
    """Return the statements that a call executes and that read jobs, their runs or types."""
    from airflow import settings
    from sqlalchemy import event

    tables = ("coinrequest_job", "coinrequest_revision", "task_instance", "xcom", " log ", "dag_run")
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if any(table in statement for table in tables):
            found.append(statement)

    event.listen(settings.engine, "before_cursor_execute", note)
    try:
        call()
    finally:
        event.remove(settings.engine, "before_cursor_execute", note)
    return found


def test_a_page_of_failed_jobs_takes_as_many_queries_as_one_of_them(op: TestClient, name: str) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    def failed(task_state: str) -> str:
        job = str(op.post(f"{TYPES}/{name}/jobs", json={}).json()["id"])
        finish(name, job, state="failed")
        with create_session(scoped=False) as session:
            statement = "UPDATE task_instance SET state = :state, hostname = 'host-a' WHERE run_id = :job"
            session.execute(text(statement), {"state": task_state, "job": job})
        return job

    assert op.post(TYPES, json=small(name, timeout="1m")).status_code == 201
    one = failed("failed")
    of_one = statements_of(lambda: found(op, name))
    others = [failed(state) for state in ("failed", "skipped", "success") for _ in range(3)]
    of_all = statements_of(lambda: found(op, name))
    assert of_all == of_one, "the statements are the same, whatever the number of jobs"
    # The page, the revisions of its types, the tasks that failed, and how the runs ended.
    assert len(of_one) <= 5
    messages = {job["id"]: job["error"]["message"] for job in op.get(f"{JOBS}?type={name}").json()["jobs"]}
    assert messages == {job: op.get(f"{JOBS}/{job}").json()["error"]["message"] for job in [one, *others]}, (
        "each row has the error of its own job"
    )
    assert [messages[others[number]].partition(":")[0] for number in (0, 3, 6)] == [
        "Task 'wait' failed",
        "Airflow ended the job as failed although none of its tasks failed (1 skipped); it was not its time limit, "
        "and Airflow's audit log names nobody",
        "Airflow ended the job as failed although none of its tasks failed (1 success); it was not its time limit, "
        "and Airflow's audit log names nobody",
    ]


def test_jobs_are_filtered_by_submitter(op: TestClient, name: str, submit: Any) -> None:
    mine, theirs = submit("User"), submit("Admin")
    assert found(op, name, "&submitted_by=user") == [mine]
    assert found(op, name, "&submitted_by=admin") == [theirs]
    assert found(op, name, "&submitted_by=nobody") == []


@pytest.mark.parametrize("state", ["queued", "running", "success", "failed", "cancelled", "removed"])
def test_jobs_are_filtered_by_every_state(op: TestClient, name: str, submit: Any, state: str) -> None:
    job = submit()
    if state == "cancelled":
        op.post(f"{JOBS}/{job}/cancel")
    elif state == "removed":
        finish(name, job)
        op.delete(f"/api/v2/dags/{name}/dagRuns/{job}")
    elif state != "queued":
        finish(name, job, state=state)
    assert found(op, name, f"&state={state}") == [job]
    others = {"queued", "running", "success", "failed", "cancelled", "removed"} - {state}
    assert [found(op, name, f"&state={other}") for other in others] == [[]] * 5


def test_pages_have_every_job_once_even_while_new_ones_are_submitted(op: TestClient, name: str, submit: Any) -> None:
    ids = [submit(labels={"a": "b"}) for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = op.get(f"{JOBS}?type={name}&label=a:b&limit=2{cursor}").json()
        seen += [job["id"] for job in page["jobs"]]
        submit(labels={"a": "b"})
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ids[::-1]


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("label=team", "label"),
        ("label=:data", "label"),
        ("label=a%20b:data", "label"),
        ("label=team:a%0Ab", "label"),
        ("label=team:a&label=team:b", "label"),
        ("label=" + "x" * 301, "label"),
        ("&".join(f"label=l{number}:x" for number in range(21)), "label"),
        ("since=yesterday", "since"),
        ("since=1700000000", "since"),
        ("since=366d", "since"),
        ("since=1d&until=2d", "until"),
        ("ended_since=x", "ended_since"),
        ("ended_since=1h&ended_until=2h", "ended_until"),
        ("state=failed&state=done", "state[1]"),
        ("until=2026-13-01T00:00:00Z", "until"),
        ("submitted_by=%00", "submitted_by"),
        ("type=%00", "type"),
        ("owner=%00", "owner"),
        ("tag=%00", "tag"),
        ("state=done", "state"),
        ("limit=1" + "0" * 30, "limit"),
    ],
)
def test_a_bad_filter_is_named(op: TestClient, query: str, field: str) -> None:
    answer = op.get(f"{JOBS}?{query}")
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
