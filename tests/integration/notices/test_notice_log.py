"""The log of deliveries, and redelivery."""

import uuid
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient
from support import notices
from support.api_environment import Clients
from support.api_environment import definition as small
from support.notices import attempts, await_state, dispatching, execute, ids, owe
from support.receiver import Answer, Receiver

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"
NOTICES = "/jobs/v1/notices"


@pytest.fixture(autouse=True)
def nothing_owed(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "127.0.0.0/8")
    notices.clear()


@pytest.fixture
def job_id(op: TestClient, name: str) -> UUID:
    assert op.post(TYPES, json=small(name)).status_code == 201
    return UUID(op.post(f"{TYPES}/{name}/jobs", json={}).json()["id"])


def listed(client: TestClient, job_id: UUID) -> list[dict[str, Any]]:
    answer = client.get(f"{JOBS}/{job_id}/notices")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["notices"]
    return found


def test_a_job_without_notices_has_an_empty_list(viewer: TestClient, job_id: UUID) -> None:
    assert listed(viewer, job_id) == []


def test_every_attempt_is_listed(viewer: TestClient, receiver: Receiver, job_id: UUID) -> None:
    receiver.script(Answer(500, body=b"no"))
    owed = owe(f"{receiver.url}/hook", job_id=job_id)
    with dispatching():
        await_state(owed, "delivered")
    (found,) = listed(viewer, job_id)
    assert (found["id"], found["kind"], found["state"]) == (str(owed), "webhook", "delivered")
    assert found["next_attempt_at"] is None
    assert found["ended_at"] > found["created_at"]
    first, second = found["attempts"]
    assert (first["number"], first["status"], first["response"]) == (1, 500, "no")
    assert first["error"] == "the receiver answered 500"
    assert (second["number"], second["status"], second["error"]) == (2, 200, None)
    assert found["links"] == {"job": f"{JOBS}/{job_id}", "redeliver": f"{NOTICES}/{owed}/redeliver"}


def test_no_secret_is_shown(viewer: TestClient, job_id: UUID) -> None:
    owe("https://ada:pass-word@example.org:8443/hook?token=to-ken#frag", job_id=job_id, secret="ci-pher")
    owe("ops_chat 2 3", kind="apprise", job_id=job_id)
    answer = viewer.get(f"{JOBS}/{job_id}/notices")
    assert [found["destination"] for found in answer.json()["notices"]] == [
        "https://example.org:8443/hook?…",
        "ops_chat",
    ]
    for secret in ("pass-word", "to-ken", "ci-pher"):
        assert secret not in answer.text


@pytest.mark.parametrize("state", ["delivered", "failed"])
def test_a_notice_is_delivered_again_under_its_id(
    op: TestClient, receiver: Receiver, job_id: UUID, name: str, state: str
) -> None:
    receiver.script(200 if state == "delivered" else 410)
    owed = owe(receiver.url, job_id=job_id, left=timedelta(hours=1))
    with dispatching():
        before = await_state(owed, state)
        answer = op.post(f"{NOTICES}/{owed}/redeliver")
        assert answer.status_code == 202, answer.text
        assert answer.json()["id"] == str(owed)
        notices.eventually(lambda: len(attempts(owed)) == 2)
        after = await_state(owed, "delivered")
    first, second = ids(receiver)
    assert first == second
    assert [attempt.number for attempt in attempts(owed)] == [1, 2]
    assert after.give_up_at - before.give_up_at > timedelta(hours=22)
    (line,) = execute("SELECT * FROM log WHERE event = 'notice.redeliver' AND dag_id = :name", name=name)
    assert line.owner == "op"
    assert str(owed) in line.extra


def test_a_redelivery_begins_with_short_delays_again(op: TestClient, job_id: UUID, receiver: Receiver) -> None:
    receiver.script(500)
    owed = owe(receiver.url, job_id=job_id, state="failed", attempts=35, left=timedelta(0))
    assert op.post(f"{NOTICES}/{owed}/redeliver").json()["state"] == "pending"
    with dispatching():
        row = await_state(owed, "delivered")
    assert row.attempts == 2


def test_chat_is_redelivered_to_all_only_if_all_had_it(op: TestClient, job_id: UUID) -> None:
    delivered = owe("ops_chat 2", kind="apprise", job_id=job_id, state="delivered")
    failed = owe("ops_chat 2", kind="apprise", job_id=job_id, state="failed")
    for owed in (delivered, failed):
        assert op.post(f"{NOTICES}/{owed}/redeliver").status_code == 202
    assert [notices.notice(owed).destination for owed in (delivered, failed)] == ["ops_chat", "ops_chat 2"]


def test_unknown_ids_are_404(op: TestClient) -> None:
    nobody = uuid.uuid4()
    for answer in (op.get(f"{JOBS}/{nobody}/notices"), op.post(f"{NOTICES}/{nobody}/redeliver")):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert str(nobody) in answer.json()["detail"]
    assert op.post(f"{NOTICES}/x/redeliver").status_code == 422


def test_who_may_read_and_who_may_redeliver(client_of: Clients, job_id: UUID) -> None:
    owed = owe("https://example.org", job_id=job_id, state="failed")
    reads = {role: client_of(role).get(f"{JOBS}/{job_id}/notices").status_code for role in (None, "Viewer", "User")}
    asks = {role: client_of(role).post(f"{NOTICES}/{owed}/redeliver").status_code for role in (None, "Viewer", "User")}
    assert reads == {None: 401, "Viewer": 200, "User": 200}
    assert asks == {None: 401, "Viewer": 403, "User": 202}
