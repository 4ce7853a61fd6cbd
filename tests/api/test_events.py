"""Following a job by server-sent events."""

import asyncio
import json
import threading
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import definition as small
from support.api_environment import finish

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"


@pytest.fixture
def job(op: TestClient, name: str) -> dict[str, Any]:
    assert op.post(TYPES, json=small(name)).status_code == 201
    found: dict[str, Any] = op.post(f"{TYPES}/{name}/jobs", json={"labels": {"a": "b"}}).json()
    return found


def events_of(answer: Any) -> list[dict[str, Any]]:
    """Parse a stream as specified in https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    events = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append({**fields, "data": json.loads(fields["data"])})
    return events


def begin(job: dict[str, Any]) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    key = {"dag_id": job["job_type"], "run_id": job["id"]}
    with create_session(scoped=False) as session:
        session.execute(
            text(
                "UPDATE task_instance SET state = 'running', try_number = 1, start_date = now()"
                " WHERE dag_id = :dag_id AND run_id = :run_id"
            ),
            key,
        )
        session.execute(
            text(
                "UPDATE dag_run SET state = 'running', start_date = now() WHERE dag_id = :dag_id AND run_id = :run_id"
            ),
            key,
        )


def test_a_job_is_followed_to_its_end(op: TestClient, job: dict[str, Any]) -> None:
    output = {"wait": {"value": 7}}
    timers = [
        threading.Timer(0.8, begin, (job,)),
        threading.Timer(2.0, finish, (job["job_type"], job["id"], "success", output)),
    ]
    for timer in timers:
        timer.start()
    answer = op.get(f"{JOBS}/{job['id']}/events")
    for timer in timers:
        timer.join()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    events = events_of(answer)
    assert [event["event"] for event in events] == ["queued", "running", "task", "task", "done"]
    assert events[0]["data"]["labels"] == {"a": "b"}
    first, last = (event["data"] for event in events if event["event"] == "task")
    assert (first["id"], first["map_index"], first["state"], first["attempt"]) == ("wait", None, "running", 1)
    assert (last["state"], last["ended_at"] is not None) == ("success", True)
    assert events[-1]["data"] == op.get(f"{JOBS}/{job['id']}").json()
    assert events[-1]["data"]["result"] == {"value": 7}


def test_a_late_client_gets_the_end_of_the_job(op: TestClient, job: dict[str, Any]) -> None:
    op.post(f"{JOBS}/{job['id']}/cancel", json={"reason": "why"})
    events = events_of(op.get(f"{JOBS}/{job['id']}/events"))
    assert [event["event"] for event in events] == ["task", "done"]
    assert events[-1]["data"]["cancelled"]["reason"] == "why"


def test_a_client_that_reconnects_gets_the_remaining_events_once(op: TestClient, job: dict[str, Any]) -> None:
    finish(job["job_type"], job["id"])
    address = f"{JOBS}/{job['id']}/events"
    events = events_of(op.get(address))
    rest = events_of(op.get(address, headers={"Last-Event-ID": events[0]["id"]}))
    assert rest == events[1:]
    over = op.get(address, headers={"Last-Event-ID": events[-1]["id"]})
    assert (over.status_code, over.content) == (204, b"")


def test_a_retried_job_can_be_followed_again(
    op: TestClient, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coinrequest.api.routes.job_events.LONGEST_STREAM", 0.5)
    finish(job["job_type"], job["id"], state="failed")
    address = f"{JOBS}/{job['id']}/events"
    last = events_of(op.get(address))[-1]["id"]
    op.post(f"{JOBS}/{job['id']}/retry")
    again = events_of(op.get(address, headers={"Last-Event-ID": last}))
    assert [event["event"] for event in again] == ["queued", "task"]
    assert again[1]["data"]["state"] is None


def test_a_stream_is_closed_after_its_time_limit(
    op: TestClient, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coinrequest.api.routes.job_events.LONGEST_STREAM", 0.5)
    assert [event["event"] for event in events_of(op.get(f"{JOBS}/{job['id']}/events"))] == ["queued"]


def test_an_unknown_event_id_starts_from_the_beginning(op: TestClient, job: dict[str, Any]) -> None:
    finish(job["job_type"], job["id"])
    answer = op.get(f"{JOBS}/{job['id']}/events", headers={"Last-Event-ID": "nonsense"})
    assert events_of(answer)[-1]["event"] == "done"


def test_the_event_id_of_another_job_starts_from_the_beginning(op: TestClient, job: dict[str, Any]) -> None:
    other = op.post(f"{TYPES}/{job['job_type']}/jobs", json={}).json()
    for each in (job, other):
        finish(each["job_type"], each["id"])
    address = f"{JOBS}/{job['id']}/events"
    complete = events_of(op.get(address))
    assert [event["event"] for event in complete] == ["task", "done"]
    for foreign in events_of(op.get(f"{JOBS}/{other['id']}/events")):
        answer = op.get(address, headers={"Last-Event-ID": foreign["id"]})
        assert (answer.status_code, events_of(answer)) == (200, complete)


@pytest.mark.usefixtures("tables_unchanged")
def test_an_unknown_job_is_a_problem_and_not_a_stream(op: TestClient) -> None:
    answer = op.get(f"{JOBS}/0197f1f0-0000-7000-8000-000000000000/events")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert op.get(f"{JOBS}/x/events").status_code == 422


async def listen(app: Any, path: str, token: str, until: bytes) -> bytes:
    """Open a stream, disconnect once `until` has arrived, and return what arrived after the server has closed it."""
    received = bytearray()
    arrived = asyncio.Event()
    requested = False

    async def receive() -> dict[str, Any]:
        nonlocal requested
        if not requested:
            requested = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await arrived.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        received.extend(message.get("body", b""))
        if until in received:
            arrived.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"testserver"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "state": {},
    }
    await asyncio.wait_for(app(scope, receive, send), 20)
    return bytes(received)


def test_a_disconnected_client_is_dropped_and_an_idle_one_gets_comments(
    airflow_app: Any, tokens: dict[str, str], job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from coinrequest.jobs.feed import followed_jobs

    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.3)

    async def scenario() -> tuple[bytes, int]:
        received = await listen(airflow_app, f"{JOBS}/{job['id']}/events", tokens["Viewer"], b": ping")
        for _ in range(100):
            if not (left := followed_jobs().listeners):
                break
            await asyncio.sleep(0.05)
        return received, left

    received, left = asyncio.run(scenario())
    assert b"event: queued" in received
    assert left == 0
