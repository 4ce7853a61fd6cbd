"""Every error is answered with problem details (RFC 9457)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient
from support.api_environment import Clients


def is_problem(answer: Any, status: int) -> bool:
    body = answer.json()
    return bool(
        answer.status_code == status == body["status"]
        and answer.headers["content-type"] == "application/problem+json"
        and set(body) == {"type", "title", "status", "detail", "instance", "errors"}
    )


def test_an_unknown_route_is_not_found(op: TestClient, client_of: Clients) -> None:
    for client in (op, client_of(None)):
        answer = client.get("/jobs/v1/nothing")
        assert is_problem(answer, 404)
        assert answer.json()["instance"] == "/jobs/v1/nothing"


def test_another_method_is_not_allowed(op: TestClient) -> None:
    answer = op.patch("/jobs/v1/job-types")
    assert is_problem(answer, 405)
    assert answer.headers["allow"]


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Iterator[None]:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("coinrequest.jobtypes.registry.live", fail)
        yield


def test_an_internal_error_reveals_only_a_reference_to_the_log(
    op: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with failing(monkeypatch, RuntimeError("password=hunter2")):
        answer = op.get("/jobs/v1/job-types")
    assert is_problem(answer, 500)
    assert "hunter2" not in answer.text
    reference = answer.json()["detail"].rpartition(" ")[2]
    assert reference in caplog.text


def test_an_unreachable_database_is_a_503_with_retry_after(op: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with failing(monkeypatch, OperationalError("SELECT", {}, Exception("host db.internal is down"))):
        answer = op.get("/jobs/v1/job-types")
    assert is_problem(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert "db.internal" not in answer.text


def test_an_internal_error_rolls_back(
    op: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    definition: dict[str, Any],
    tables_unchanged: None,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("coinrequest.api.routes.job_types.current_detail", lambda *_: 1 / 0)
        assert is_problem(op.post("/jobs/v1/job-types", json=definition), 500)
    assert op.get(f"/jobs/v1/job-types/{name}").status_code == 404


def test_health_shows_the_components_only_after_signing_in(op: TestClient, client_of: Clients) -> None:
    report = op.get("/jobs/v1/health").json()
    assert report["status"] == "degraded"
    assert report["components"]["database"]["status"] == "healthy"
    assert report["components"]["scheduler"]["detail"] == "last heartbeat: never"
    anybody = client_of(None).get("/jobs/v1/health")
    assert anybody.status_code == 200
    assert anybody.json() == {"status": "degraded", "components": None}
