"""Reading a job's log as text."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import definition as small
from support.api_environment import finish

# Airflow's reader leaves the closing of its files to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"),
]

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"

LINES = [
    {"timestamp": "2026-11-22T02:40:05.751075Z", "level": "info", "event": "::group::Pre Execute", "logger": "task"},
    {"timestamp": "2026-11-22T02:40:05.9Z", "level": "info", "event": "took the job <b>", "ti_id": "x", "bytes": 39},
    {"timestamp": "2026-11-22T02:40:05.95Z", "level": "info", "event": "::endgroup::"},
    {
        "timestamp": "2026-11-22T02:40:06Z",
        "level": "error",
        "event": "Task failed with exception",
        "error_detail": [
            {
                "exc_type": "ValueError",
                "exc_value": "no such coin",
                "frames": [{"filename": "coin.py", "lineno": 7, "name": "run"}],
            },
            {"exc_type": "KeyError", "exc_value": "'XYZ'", "is_cause": True, "frames": []},
        ],
    },
]
TEXT = """\
2026-11-22T02:40:05.900+00:00 INFO took the job <b> bytes=39
2026-11-22T02:40:06.000+00:00 ERROR Task failed with exception
Traceback (most recent call last):
KeyError: 'XYZ'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "coin.py", line 7, in run
ValueError: no such coin
"""


@pytest.fixture
def job(op: TestClient, name: str) -> dict[str, Any]:
    document = small(name)
    document["tasks"] += [
        {**document["tasks"][0], "id": "later", "depends_on": ["wait"]},
        {**document["tasks"][0], "id": "each", "for_each": [0, 1], "inputs": {"value": "{{ item }}"}},
    ]
    assert op.post(TYPES, json=document).status_code == 201
    found: dict[str, Any] = op.post(f"{TYPES}/{name}/jobs", json={}).json()
    return found


def write(job: dict[str, Any], task: str, lines: list[dict[str, Any]], *, attempt: int = 1, item: int = -1) -> None:
    """Write a log as an agent does, and set the task to an end state."""
    from airflow.configuration import conf
    from airflow.utils.session import create_session
    from sqlalchemy import text

    folder = Path(conf.get("logging", "base_log_folder"), f"dag_id={job['job_type']}", f"run_id={job['id']}")
    folder = folder / f"task_id={task}"
    if item >= 0:
        folder = folder / f"map_index={item}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"attempt={attempt}.log").write_text("".join(json.dumps(line) + "\n" for line in lines))
    state = "failed" if any(line["level"] == "error" for line in lines) else "success"
    with create_session(scoped=False) as session:
        session.execute(
            text(
                "UPDATE task_instance SET state = :state, try_number = :attempt, start_date = clock_timestamp(),"
                " end_date = clock_timestamp() WHERE dag_id = :dag AND run_id = :run AND task_id = :task"
                " AND map_index = :item"
            ),
            {"state": state, "attempt": attempt, "dag": job["job_type"], "run": job["id"], "task": task, "item": item},
        )


def said(text: str) -> list[dict[str, Any]]:
    return [{"timestamp": "2026-11-22T02:40:05Z", "level": "info", "event": text}]


def test_the_log_is_plain_text_and_never_html(op: TestClient, job: dict[str, Any]) -> None:
    write(job, "wait", LINES)
    answer = op.get(f"{JOBS}/{job['id']}/log")
    assert answer.status_code == 200, answer.text
    assert answer.text == TEXT
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_default_is_the_failed_task_or_else_the_one_that_started_last(op: TestClient, job: dict[str, Any]) -> None:
    write(job, "wait", said("one"))
    write(job, "later", said("two"))
    assert "two" in op.get(f"{JOBS}/{job['id']}/log").text
    write(job, "wait", LINES)
    write(job, "later", said("three"))
    assert "no such coin" in op.get(f"{JOBS}/{job['id']}/log").text


def test_a_task_an_item_and_an_attempt_can_be_selected(op: TestClient, job: dict[str, Any]) -> None:
    write(job, "wait", said("one"))
    write(job, "each", said("item 0"), item=0)
    write(job, "each", said("item 1"), item=1)
    address = f"{JOBS}/{job['id']}/log"
    assert "one" in op.get(f"{address}?task=wait&attempt=1").text
    assert "item 0" in op.get(f"{address}?task=each&map_index=0").text
    assert "item 1" in op.get(f"{address}?task=each&map_index=1").text


def test_an_earlier_attempt_can_be_read(op: TestClient, job: dict[str, Any]) -> None:
    write(job, "wait", LINES)
    finish(job["job_type"], job["id"], state="failed")
    assert op.post(f"{JOBS}/{job['id']}/retry").status_code == 202
    write(job, "wait", said("better"), attempt=2)
    address = f"{JOBS}/{job['id']}/log"
    assert "no such coin" in op.get(f"{address}?task=wait&attempt=1").text
    assert "better" in op.get(f"{address}?task=wait").text


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("?task=wiat", ["'wiat'", "wait, each, later"]),
        ("?task=wait&attempt=2", ["1 to 1"]),
        ("?task=wait&map_index=0", ["not mapped"]),
        ("?task=each&map_index=2", ["0 to 1"]),
        ("?task=later", ["'later' has not started"]),
    ],
)
def test_an_unknown_log_is_not_found_and_the_existing_ones_are_named(
    op: TestClient, job: dict[str, Any], query: str, parts: list[str]
) -> None:
    write(job, "wait", said("one"))
    answer = op.get(f"{JOBS}/{job['id']}/log{query}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert all(part in answer.json()["detail"] for part in parts), answer.json()["detail"]


def test_a_job_that_has_not_started_has_no_log(op: TestClient, job: dict[str, Any]) -> None:
    answer = op.get(f"{JOBS}/{job['id']}/log")
    assert answer.status_code == 404
    assert "not started" in answer.json()["detail"]


def test_a_huge_log_is_truncated(op: TestClient, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coinrequest.api.routes.job_log.MAX_LOG_BYTES", 200_000)
    write(job, "wait", [line for number in range(500) for line in said(f"{number} " + "é" * 1000)])
    answer = op.get(f"{JOBS}/{job['id']}/log")
    assert 199_000 < len(answer.content) < 201_000
    assert "left out" in answer.text[-100:]


def test_a_lost_log_names_the_places_that_were_searched(op: TestClient, job: dict[str, Any]) -> None:
    write(job, "wait", [])
    answer = op.get(f"{JOBS}/{job['id']}/log")
    assert answer.status_code == 200
    assert "attempt=1.log" in answer.text


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize(
    ("query", "field"),
    [("task=%00", "task"), ("attempt=0", "attempt"), ("attempt=x", "attempt"), ("map_index=-1", "map_index")],
)
def test_a_bad_parameter_is_named(op: TestClient, query: str, field: str) -> None:
    answer = op.get(f"{JOBS}/0197f1f0-0000-7000-8000-000000000000/log?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.usefixtures("tables_unchanged")
def test_an_unknown_job_has_no_log(op: TestClient) -> None:
    assert op.get(f"{JOBS}/0197f1f0-0000-7000-8000-000000000000/log").status_code == 404
