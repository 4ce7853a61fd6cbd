"""The body of a notice."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from coinrequest.jobs.job import Job, JobError
from coinrequest.notices.event import RESULT_LIMIT, channel_body, event_body

AT = datetime(2030, 1, 31, 8, tzinfo=UTC)
JOB = Job(
    id=uuid.UUID("0190c2f3-0000-7000-8000-000000000000"),
    job_type="btc-report",
    revision=1,
    state="success",
    params={},
    submitted_by="ada",
    submitted_at=AT,
    started_at=AT,
    ended_at=AT,
    result={"rate": "1.50", "currency": "£"},
)


@pytest.fixture(autouse=True)
def address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_BASE_URL", "https://jobs.test/")


def test_links_begin_with_the_public_address_and_escape_any_run_id() -> None:
    job = replace(JOB, run_id="scheduled__2030-01-31T08:00:00+00:00")
    assert json.loads(event_body(job))["data"]["links"] == {
        "job": "https://jobs.test/jobs/v1/jobs/0190c2f3-0000-7000-8000-000000000000",
        "run": "https://jobs.test/dags/btc-report/runs/scheduled__2030-01-31T08%3A00%3A00%2B00%3A00",
    }


def test_the_body_has_the_result_as_it_is() -> None:
    data = json.loads(event_body(JOB))["data"]
    assert data["result"] == {"rate": "1.50", "currency": "£"}
    assert data["ended_at"] == "2030-01-31T08:00:00+00:00"


def test_the_channel_gets_the_error_as_a_sentence() -> None:
    job = replace(JOB, state="failed", result=None, error=JobError("wait", None, "Task 'wait' failed"))
    assert json.loads(channel_body(job)) == {
        "job_id": str(JOB.id),
        "job_type": "btc-report",
        "state": "failed",
        "result": None,
        "error": "Task 'wait' failed",
        "ended_at": "2030-01-31T08:00:00+00:00",
    }


@pytest.mark.parametrize("body", [event_body, channel_body])
def test_any_result_can_be_sent(body: object) -> None:
    job = replace(JOB, result={"text": "a\ud800b\x00"})
    assert callable(body)
    told = body(job).encode()
    assert "a\ufffdb\ufffd".encode() in told


@pytest.mark.parametrize("body", [event_body, channel_body])
def test_a_large_result_is_replaced_by_a_link(body: object) -> None:
    assert callable(body)
    assert len(body(replace(JOB, result="x" * (RESULT_LIMIT - 2)))) > RESULT_LIMIT
    told = body(replace(JOB, result="x" * RESULT_LIMIT))
    assert len(told) < 4096
    assert f"The result has {RESULT_LIMIT + 2} bytes" in told
