"""Extreme times, numbers, identifiers and texts: the response names the problem and is never a server error.

A value that Python, the driver or PostgreSQL cannot hold is the request's or the message's trouble, not an outage: an
outage is waited for, and everything behind it with it.
"""

import json
import uuid
import zlib
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

pytestmark = pytest.mark.security

JOBS = "/jobs/v1/jobs"
TYPES = "/jobs/v1/job-types"

TIMES = (
    "0001-01-01T00:00:00+01:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59Z",
    "1999-12-31T23:59:59Z",
    "2100-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    1e300,
    10**400,
    -1,
    "9" * 4000,
    "2030-01-31T08:00:00",
    "२०३०-01-31T08:00:00Z",
    "now",
)
# In bounds, with an offset that PostgreSQL does not read.
FAR_WEST = "2027-01-31T08:00:00-23:00"


def asked(run_after: object = None, **fields: Any) -> dict[str, Any]:
    return {"params": {}, **({} if run_after is None else {"run_after": run_after}), **fields}


@pytest.fixture(scope="module")
def job_type(op: TestClient) -> str:
    from support import api_environment as environment

    found = f"s-{uuid.uuid4().hex[:12]}"
    document = environment.definition(found, params={"type": "object"})
    assert op.post(TYPES, json=document).status_code == 201
    return found


@pytest.mark.parametrize("run_after", TIMES, ids=lambda time: str(time)[:30])
def test_rest_refuses_a_start_out_of_range(op: TestClient, job_type: str, run_after: object) -> None:
    answer = op.post(f"{TYPES}/{job_type}/jobs", json=asked(run_after))
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == ["run_after"]


@pytest.mark.parametrize("run_after", TIMES, ids=lambda time: str(time)[:30])
def test_the_channel_refuses_a_start_out_of_range_with_the_same_message(
    airflow_app: Any, job_type: str, run_after: object
) -> None:
    from coinrequest.gateway.outcomes import MessageRefused
    from coinrequest.gateway.parsing import parse_message

    message = {"job_id": str(uuid.uuid4()), "job_type": job_type, **asked(run_after)}
    with pytest.raises(MessageRefused, match="run_after"):
        parse_message(json.dumps(message).encode())


def test_the_first_and_the_last_possible_start_are_accepted(op: TestClient, job_type: str) -> None:
    soon, late = datetime.now(UTC) + timedelta(days=3650), datetime.now(UTC) + timedelta(days=3660)
    for time in (FAR_WEST, "2000-01-01T00:00:00Z", "1999-12-31T23:00:00-01:00", soon.isoformat()):
        answer = op.post(f"{TYPES}/{job_type}/jobs", json=asked(time))
        assert answer.status_code == 202, (time, answer.text)
        job = op.get(answer.headers["Location"]).json()
        assert datetime.fromisoformat(job["run_after"]) == datetime.fromisoformat(time)
    refused = op.post(f"{TYPES}/{job_type}/jobs", json=asked(late.isoformat()))
    assert "ten years" in refused.json()["errors"][0]["message"]


def position(*parts: object) -> str:
    return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def told(content: object) -> str:
    return urlsafe_b64encode(zlib.compress(json.dumps(content).encode())).decode()


BOMB = urlsafe_b64encode(zlib.compress(b" " * 2_000_000, 9)).decode()
SOME_ID = "7b0d1c2e-3f4a-4b5c-8d6e-9f0a1b2c3d4e"

QUERIES = [
    *(f"{name}={quote(str(time))}" for name in ("since", "until") for time in (*TIMES, FAR_WEST)),
    *(
        f"cursor={cursor}"
        for cursor in (
            position("0001-01-01T00:00:00+01:00", SOME_ID),
            position("9999-12-31T23:59:59-23:59", SOME_ID),
            position("2026-01-01", "not-a-uuid"),
            position("2026-01-01T00:00:00", SOME_ID),
            position(4, [SOME_ID]),
            position({}, {}),
            "=",
            "%00",
            "A" * 2048,
            "A" * 3000,
            urlsafe_b64encode(b"[" * 1500).decode(),
            urlsafe_b64encode(b"9" * 1500).decode(),
        )
    ),
    *(f"limit={number}" for number in ("0", "-1", "9" * 30, "1e9", "NaN", "9" * 5000)),
    "label=a:%00",
    "label=team:%ED%A0%80",
    "label=" + "a" * 64 + ":x",
    "type=%00",
    "submitted_by=%00",
    "type=%F0%9F%92%A5",
    "state=%00",
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:40])
def test_odd_queries_of_lists(op: TestClient, query: str) -> None:
    answer = op.get(f"{JOBS}?{query}")
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 422:
        assert answer.json()["errors"], "no field is named"


PATHS = (
    f"{JOBS}/{{}}",
    f"{JOBS}/{{}}/events",
    f"{JOBS}/{{}}/log",
    f"{JOBS}/{{}}/notices",
    f"{TYPES}/{{}}",
    f"{TYPES}/{{}}/revisions",
    f"{TYPES}/{{}}/revisions/1",
    f"{TYPES}/url-test/revisions/{{}}",
    f"{TYPES}/url-test/diff?from={{}}",
    "/jobs/v1/actions/{}",
)
NAMES = ("%00", "a%00b", "%ED%A0%80", "%FF", "9" * 400, "x" * 4000, "-1", "0", "{}", "..%2F..%2Fetc", str(2**63), "1e5")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:20])
def test_an_invalid_name(op: TestClient, path: str, name: str) -> None:
    answer = op.get(path.format(name))
    assert answer.status_code in (404, 405, 422), f"{answer.status_code}: {answer.text[:300]}"


BODIES: dict[str, dict[str, Any]] = {
    "a priority beyond bigint": asked(priority=2**63),
    "a priority of 400 digits": asked(priority=10**400),
    "a priority that is a float": asked(priority=1.5),
    "a negative priority": asked(priority=-1),
    "a label with NUL": asked(labels={"a": "b\x00c"}),
    "a label with half of a pair": asked(labels={"a": "\ud800"}),
    "a label's name with NUL": asked(labels={"a\x00": "b"}),
    "a label's name with a line": asked(labels={"a\n": "b"}),
    "a label that is a list": asked(labels={"a": ["b"]}),
    "a callback to half of a pair": asked(callback={"url": "https://example.org/\ud800"}),
    "a callback to NUL": asked(callback={"url": "https://example.org/\x00"}),
    "a callback with a connection of NUL": asked(
        callback={"url": "https://example.org/", "secret": {"connection": "a\x00"}}
    ),
    "params with NUL": asked() | {"params": {"a": "\x00"}},
    "params with half of a pair": asked() | {"params": {"a": "\ud800"}},
    "params with a key of half of a pair": asked() | {"params": {"\udfff": 1}},
}


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize("case", BODIES)
def test_a_submission_that_cannot_be_stored(op: TestClient, job_type: str, case: str) -> None:
    answer = op.post(
        f"{TYPES}/{job_type}/jobs", content=json.dumps(BODIES[case]), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"], "no field is named"


@pytest.mark.parametrize("key", ["", "\x00", "k" * 256, "\xff\xfe", "a\tb", "\x7f"], ids=ascii)
def test_an_invalid_idempotency_key(op: TestClient, job_type: str, key: str) -> None:
    answer = op.post(f"{TYPES}/{job_type}/jobs", json=asked(), headers={"Idempotency-Key": key.encode("latin-1")})
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]


@pytest.mark.parametrize("reason", ["a\x00b", "\ud800", "x" * 1001, 4, ["x"]], ids=lambda reason: ascii(reason)[:20])
def test_an_invalid_reason_to_cancel(op: TestClient, job_type: str, reason: object) -> None:
    job = op.post(f"{TYPES}/{job_type}/jobs", json=asked()).json()
    answer = op.post(
        f"{JOBS}/{job['id']}/cancel",
        content=json.dumps({"reason": reason}),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    assert op.get(f"{JOBS}/{job['id']}").json()["state"] == "queued"


LAST_EVENTS = (
    "",
    "x",
    "%00",
    "\x00",
    BOMB,
    told([]),
    told({"state": 4}),
    told([[["a"]]]),
    told("9" * 5000),
    "A" * 9000,
)


@pytest.mark.parametrize("event", LAST_EVENTS, ids=lambda event: ascii(event)[:20])
def test_an_unknown_last_event_id(op: TestClient, job_type: str, event: str) -> None:
    """It is ignored; the stream of a job that has ended ends at once."""
    job = op.post(f"{TYPES}/{job_type}/jobs", json=asked()).json()
    assert op.post(f"{JOBS}/{job['id']}/cancel").status_code == 200
    answer = op.get(f"{JOBS}/{job['id']}/events", headers={"Last-Event-ID": event.encode("latin-1")})
    assert answer.status_code == 200, answer.text
    assert "event: done" in answer.text


@pytest.mark.parametrize("tag", ['"' + "9" * 30 + '"', '"-1"', '"\xff"', "W/1", '"1e3"'], ids=ascii)
def test_an_unknown_etag(op: TestClient, job_type: str, tag: str) -> None:
    from support import api_environment as environment

    changed = environment.definition(job_type, description="changed")
    answer = op.put(f"{TYPES}/{job_type}", json=changed, headers={"If-Match": tag.encode("latin-1")})
    assert answer.status_code in (412, 422), answer.text


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "inf", "1e400", "9" * 400])
def test_an_invalid_wait(op: TestClient, wait: str) -> None:
    assert op.get(f"{JOBS}/{SOME_ID}?wait={wait}").status_code == 422


@pytest.mark.parametrize(
    "query", ["attempt=" + "9" * 30, "map_index=-1", "task=%00", "task=" + "x" * 300, "attempt=NaN"]
)
def test_a_log_that_does_not_exist(op: TestClient, query: str) -> None:
    assert op.get(f"{JOBS}/{SOME_ID}/log?{query}").status_code in (404, 422)


@pytest.mark.parametrize("query", ["limit=" + "9" * 30, "offset=" + "9" * 30, "offset=-1", "limit=1e2"])
def test_url_tests_that_do_not_exist(op: TestClient, query: str) -> None:
    assert op.get(f"/jobs/v1/get_jobs?{query}").status_code == 422
