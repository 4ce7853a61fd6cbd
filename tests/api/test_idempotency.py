"""Repeating a submission with its idempotency key returns the same job."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from support import api_environment as environment

BASE = "/jobs/v1"


@pytest.fixture
def job_type(op: Any, name: str) -> str:
    params = {"type": "object", "properties": {"value": {"type": "integer"}}}
    assert op.post(f"{BASE}/job-types", json=environment.definition(name, params=params)).status_code == 201
    return name


@pytest.fixture
def key() -> str:
    return f"key-{uuid.uuid4()}"


def _submit(client: Any, job_type: str, key: str, **body: Any) -> Any:
    return client.post(f"{BASE}/job-types/{job_type}/jobs", json=body, headers={"Idempotency-Key": key})


def _count(job_type: str) -> int:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        found = session.execute(
            text(
                "SELECT (SELECT count(*) FROM coinrequest_job WHERE job_type = :name),"
                " (SELECT count(*) FROM dag_run WHERE dag_id = :name)"
            ),
            {"name": job_type},
        ).one()
    assert found[0] == found[1]
    return int(found[0])


def _expire(key: str, by: timedelta) -> None:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        session.execute(
            text("UPDATE coinrequest_submission_key SET expires_at = expires_at - :by WHERE key = :key"),
            {"by": by, "key": key},
        )


def test_a_repeated_submission_is_the_same_job(op: Any, job_type: str, key: str) -> None:
    first = _submit(op, job_type, key, params={"value": 0})
    assert first.status_code == 202, first.text
    again = _submit(op, job_type, key, params={"value": 0})
    assert again.status_code == 200, again.text
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["Location"] == first.headers["Location"]
    assert _count(job_type) == 1


def test_another_submission_with_the_key_is_refused(op: Any, job_type: str, key: str) -> None:
    first = _submit(op, job_type, key, params={"value": 0})
    other = _submit(op, job_type, key, params={"value": 1})
    assert other.status_code == 409
    assert first.json()["id"] in other.json()["detail"]
    assert _count(job_type) == 1


def test_a_refused_submission_does_not_use_the_key(op: Any, job_type: str, key: str) -> None:
    assert _submit(op, job_type, key, params={"value": "x"}).status_code == 422
    assert _submit(op, job_type, key, params={"value": 0}).status_code == 202


def test_keys_of_two_users_are_independent(op: Any, client_of: Any, job_type: str, key: str) -> None:
    assert _submit(op, job_type, key).status_code == 202
    assert _submit(client_of("User"), job_type, key).status_code == 202
    assert _count(job_type) == 2


def test_a_key_expires_after_a_day(op: Any, job_type: str, key: str) -> None:
    first = _submit(op, job_type, key)
    _expire(key, timedelta(hours=23, minutes=59))
    assert _submit(op, job_type, key).json()["id"] == first.json()["id"]
    _expire(key, timedelta(minutes=2))
    assert _submit(op, job_type, key).json()["id"] != first.json()["id"]


@pytest.mark.parametrize(("free", "same"), [(False, True), (True, False)])
def test_a_failed_job_releases_its_key_if_requested(
    op: Any, job_type: str, key: str, *, free: bool, same: bool
) -> None:
    body = {"idempotency": {"free_on_failure": free}}
    first = _submit(op, job_type, key, **body).json()
    assert _submit(op, job_type, key, **body).json()["id"] == first["id"]
    environment.finish(job_type, first["id"], state="failed")
    again = _submit(op, job_type, key, **body)
    assert (again.json()["id"] == first["id"]) is same
    assert again.status_code == (200 if same else 202)


def test_fifty_concurrent_submissions_are_one_job(op: Any, job_type: str, key: str) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: _submit(op, job_type, key, params={"value": 0}), range(50)))
    assert sorted({answer.status_code for answer in answers}) == [200, 202]
    assert sum(answer.status_code == 202 for answer in answers) == 1
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert _count(job_type) == 1
