"""Creating the notices of jobs that have ended."""

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient
from support import notices
from support.api_environment import definition as small
from support.api_environment import finish
from support.notices import execute

from coinrequest.jobs.callback import Callback
from coinrequest.notices.event import RESULT_LIMIT

TYPES = "/jobs/v1/job-types"
SECRET = "whsec_" + base64.b64encode(b"0123456789" * 3).decode()
HOOK = "https://example.org/hook"
NOTIFY = [
    {"on": ["success", "failure"], "webhook": HOOK, "secret": {"connection": "hook"}},
    {"on": ["failure"], "apprise": {"connection": "ops_chat"}},
    {"on": ["success"], "channel": True},
]


@pytest.fixture(autouse=True)
def nothing_owed(airflow_app: Any) -> None:
    notices.clear()


def register(op: TestClient, name: str, **fields: Any) -> None:
    answer = op.post(TYPES, json=small(name, **fields))
    assert answer.status_code == 201, answer.text


def start(name: str, *, origin: Any = "rest", **fields: Any) -> UUID:
    from airflow.utils.session import create_session

    from coinrequest.jobs.submission import Submission, submit

    with create_session(scoped=False) as session:
        return submit(session, name, Submission(**fields), user="op", origin=origin).job.id


def expand_all(limit: int = 100) -> int:
    from airflow.utils.session import create_session

    from coinrequest.notices.outbox import expand

    with create_session(scoped=False) as session:
        return expand(session, limit)


def owed(job_id: UUID) -> list[Any]:
    return execute("SELECT * FROM coinrequest_notice WHERE job_id = :id ORDER BY kind, destination", id=job_id)


def completions() -> int:
    return int(execute("SELECT count(*) FROM coinrequest_completion")[0][0])


def test_a_success_is_reported_to_the_recipients_in_the_definition(op: TestClient, name: str) -> None:
    register(op, name, notify=NOTIFY)
    job_id = start(name, labels={"team": "data"})
    finish(name, str(job_id), outputs={"wait": {"slept": 0}})
    before = datetime.now(UTC)
    assert expand_all() == 1
    channel, webhook = owed(job_id)
    assert (channel.kind, webhook.kind) == ("channel", "webhook")
    assert (webhook.destination, webhook.secret_connection, webhook.secret) == (HOOK, "hook", None)
    assert (webhook.state, webhook.attempts) == ("pending", 0)
    assert webhook.give_up_at - webhook.created_at == timedelta(hours=24)
    assert before <= webhook.next_attempt_at <= datetime.now(UTC)
    event = json.loads(webhook.body)
    data = event["data"]
    assert event["type"] == "job.completed"
    assert event["timestamp"] == data["ended_at"]
    assert (data["job_id"], data["job_type"], data["state"]) == (str(job_id), name, "success")
    assert (data["result"], data["error"], data["labels"]) == ({"slept": 0}, None, {"team": "data"})
    for moment in ("submitted_at", "started_at", "ended_at"):
        assert datetime.fromisoformat(data[moment]).tzinfo is not None
    assert data["links"] == {
        "job": f"http://airflow.test/jobs/v1/jobs/{job_id}",
        "run": f"http://airflow.test/dags/{name}/runs/{job_id}",
    }
    message = json.loads(channel.body)
    assert (message["job_id"], message["state"], message["result"]) == (str(job_id), "success", {"slept": 0})
    assert completions() == 0
    assert expand_all() == 0


def test_a_failure_is_reported_to_those_who_asked_for_it(op: TestClient, name: str) -> None:
    register(op, name, notify=NOTIFY)
    job_id = start(name)
    finish(name, str(job_id), "failed")
    expand_all()
    assert [row.kind for row in owed(job_id)] == ["apprise", "webhook"]
    data = json.loads(owed(job_id)[1].body)["data"]
    assert (data["state"], data["result"]) == ("failed", None)
    assert (data["error"]["task"], data["error"]["map_index"]) == ("wait", None)
    assert data["error"]["message"].startswith(
        "Task 'wait' failed: it was ended from outside before an agent started it"
    )


def test_a_cancelled_job_counts_as_a_failure(op: TestClient, name: str) -> None:
    register(op, name, notify=NOTIFY)
    job_id = start(name)
    execute(
        "UPDATE coinrequest_job SET cancelled_at = now(), cancelled_by = 'ada', cancel_reason = 'late' WHERE id = :id",
        id=job_id,
    )
    finish(name, str(job_id), "failed")
    expand_all()
    data = json.loads(owed(job_id)[0].body)["data"]
    assert (data["state"], data["error"]["message"]) == ("cancelled", "Cancelled by ada: late")


def test_the_callback_of_a_submission_is_a_recipient_too(op: TestClient, name: str) -> None:
    register(op, name, notify=NOTIFY[:1])
    job_id = start(name, callback=Callback("https://example.com/mine", ("success",), SECRET))
    other = start(name, callback=Callback("https://example.com/mine", ("failure",), secret_connection="mine"))
    for one in (job_id, other):
        finish(name, str(one))
    expand_all()
    mine, theirs = owed(job_id)
    assert (mine.destination, theirs.destination) == ("https://example.com/mine", HOOK)
    (row,) = execute("SELECT callback_secret FROM coinrequest_job WHERE id = :id", id=job_id)
    assert mine.secret == row.callback_secret
    assert [row.destination for row in owed(other)] == [HOOK]


def test_a_job_from_the_channel_is_answered_there_once(op: TestClient, name: str) -> None:
    register(op, name, notify=NOTIFY)
    ended, failed = start(name, origin="channel"), start(name, origin="channel")
    finish(name, str(ended))
    finish(name, str(failed), "failed")
    expand_all()
    assert [row.kind for row in owed(ended)] == ["channel", "webhook"]
    assert [row.kind for row in owed(failed)] == ["apprise", "channel", "webhook"]
    message = json.loads(owed(failed)[1].body)
    assert message["state"] == "failed"
    assert "wait" in message["error"]


def test_a_job_without_recipients_has_no_notices(op: TestClient, name: str) -> None:
    register(op, name)
    job_id = start(name)
    finish(name, str(job_id))
    assert expand_all() == 1
    assert owed(job_id) == []
    (row,) = execute("SELECT value FROM coinrequest_tally WHERE job_type = :name AND measure = 'completed'", name=name)
    assert row.value == 1


def test_the_recipients_are_those_of_the_job_s_revision(op: TestClient, name: str) -> None:
    register(op, name, notify=NOTIFY[:1])
    job_id = start(name)
    assert op.put(f"{TYPES}/{name}", json=small(name)).status_code == 200
    finish(name, str(job_id))
    expand_all()
    assert [row.destination for row in owed(job_id)] == [HOOK]


def test_a_result_that_is_too_large_is_linked(op: TestClient, name: str) -> None:
    register(op, name, notify=NOTIFY)
    job_id = start(name)
    finish(name, str(job_id), outputs={"wait": {"text": "x" * RESULT_LIMIT}})
    expand_all()
    for row in owed(job_id):
        assert len(row.body) < 4096
        result = json.loads(row.body).get("result") or json.loads(row.body)["data"]["result"]
        assert result["link"] == f"http://airflow.test/jobs/v1/jobs/{job_id}"


def test_each_end_of_a_retried_job_is_reported(op: TestClient, name: str) -> None:
    """It failed and was retried before a gateway ran; both ends are reported."""
    register(op, name, notify=NOTIFY[:1])
    job_id = start(name)
    finish(name, str(job_id), "failed")
    finish(name, str(job_id), "running")
    finish(name, str(job_id), "success", outputs={"wait": 1})
    assert completions() == 2
    expand_all()
    told = [json.loads(row.body)["data"] for row in owed(job_id)]
    assert sorted((data["state"], data["result"]) for data in told) == [("failed", None), ("success", 1)]
    assert all(data["error"] for data in told if data["state"] == "failed")


def test_a_run_that_airflow_started_is_linked_by_its_own_id(op: TestClient, name: str) -> None:
    register(op, name, notify=NOTIFY[:1])
    answer = op.post(f"/api/v2/dags/{name}/dagRuns", json={"dag_run_id": "by-hand+1", "logical_date": None})
    assert answer.status_code == 200, answer.text
    finish(name, "by-hand+1")
    expand_all()
    (row,) = execute("SELECT body FROM coinrequest_notice")
    assert json.loads(row.body)["data"]["links"]["run"] == f"http://airflow.test/dags/{name}/runs/by-hand%2B1"


def test_damaged_jobs_delay_no_others(op: TestClient, name: str) -> None:
    """A job that is gone, one whose definition cannot be read, and a valid one."""
    register(op, name, notify=NOTIFY[:1])
    gone, damaged, sound = (start(name, callback=Callback("https://example.com/mine")) for _ in range(3))
    for one in (gone, damaged, sound):
        finish(name, str(one))
    execute("DELETE FROM coinrequest_job WHERE id = :id", id=gone)
    (row,) = execute(
        "INSERT INTO coinrequest_revision (name, change, document, author, created_at)"
        " VALUES (:name, 'update', '{\"tasks\": 1}', 'nobody', now()) RETURNING number",
        name=name,
    )
    execute("UPDATE coinrequest_job SET revision = :number WHERE id = :id", number=row.number, id=damaged)
    assert expand_all() == 3
    assert owed(gone) == []
    (mine,) = owed(damaged)
    assert (mine.destination, json.loads(mine.body)["data"]["state"]) == ("https://example.com/mine", "success")
    assert len(owed(sound)) == 2
    assert completions() == 0


def test_several_gateways_share_the_work(op: TestClient, name: str) -> None:
    register(op, name, notify=NOTIFY[:1])
    jobs = [start(name) for _ in range(12)]
    for job_id in jobs:
        finish(name, str(job_id))

    def work() -> None:
        while expand_all(limit=2):
            pass

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(owed(job_id)) for job_id in jobs] == [1] * 12
    assert completions() == 0


def test_a_rollback_loses_nothing(op: TestClient, name: str) -> None:
    from airflow.utils.session import create_session

    from coinrequest.notices.outbox import expand

    register(op, name, notify=NOTIFY[:1])
    job_id = start(name)
    finish(name, str(job_id))
    with create_session(scoped=False) as session:
        assert expand(session) == 1
        session.rollback()
    assert (completions(), owed(job_id)) == (1, [])
