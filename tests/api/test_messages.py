"""What a caller with an odd request reads: the field and the remedy in the project's words, never a library's."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from support import team_roles
from support.api_environment import Clients
from support.api_environment import definition as small

V1 = "/jobs/v1"
NO_JOB = "00000000-0000-7000-8000-000000000000"
# How pydantic and FastAPI begin their messages.
STOCK = re.compile(
    r"Input should|Value error|Field required|should be a valid|should have|Extra inputs|unable to|JSON decode",
    re.IGNORECASE,
)
ODD = ("abc", "-1", "1.5", "9" * 40, "true", "null", "é", "2026-13-01", "[]", "x" * 3000, "0")


def odd_requests(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the method, address and options of odd requests of every route."""
    for path, operations in document["paths"].items():
        plain = path.format(id=NO_JOB, name="no-such-type", number="1")
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                for odd in ODD:
                    if parameter["in"] == "query":
                        yield method, plain, {"params": {parameter["name"]: odd}}
                    elif parameter["in"] == "header" and odd.isascii():
                        yield method, plain, {"headers": {parameter["name"]: odd}}
                    elif parameter["in"] == "path":
                        values = {"id": NO_JOB, "name": "no-such-type", "number": "1", parameter["name"]: odd}
                        yield method, path.format(**values), {}
            if "requestBody" in operation:
                for body in odd_bodies():
                    yield method, plain, {"json": body}


def odd_bodies() -> Iterator[Any]:
    names = ("params", "priority", "run_after", "labels", "callback", "idempotency", "reason", "url", "revision", "x")
    for odd in (None, True, -1, 1.5, "abc", [], {}, [1], {"a": 1}, "x" * 2001):
        yield odd
        for name in names:
            yield {name: odd}
    for callback in (
        {"url": 1},
        {"url": "https://example.org", "on": ["x"]},
        {"url": "x", "secret": {"connection": 1}},
    ):
        yield {"callback": callback}


def test_no_route_answers_in_the_words_of_a_library(op: TestClient) -> None:
    stock = set()
    for method, path, options in odd_requests(op.get("/jobs/openapi.json").json()):
        answer = op.request(method.upper(), f"/jobs{path}", **options)
        assert answer.status_code < 500, (method, path, options, answer.text)
        if answer.status_code < 400:
            continue
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["detail"], (method, path)
        for error in [{"field": "", "message": body["detail"]}, *body["errors"]]:
            if STOCK.search(error["message"]):
                stock.add((method, path, error["field"], error["message"]))
    assert stock == set()


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/jobs/v1/jobs/", "/jobs/v1/jobs"),
        ("/jobs/v1//jobs", "/jobs/v1/jobs"),
        ("/jobs/v1/JOBS", "/jobs/v1/jobs"),
        ("/jobs/V1/Job-Types", "/jobs/v1/job-types"),
        ("/jobs/v1/job_types/x", "/jobs/v1/job-types/x"),
        ("/jobs/job-types", "/jobs/v1/job-types"),
        ("/jobs/v1/job-types/x/revision", "/jobs/v1/job-types/x/revisions"),
        (f"/jobs/v1/jobs/{NO_JOB}/logs", f"/jobs/v1/jobs/{NO_JOB}/log"),
        ("/jobs/v1/healthz", "/jobs/v1/health"),
    ],
)
def test_an_address_that_is_nearly_right_is_corrected(op: TestClient, path: str, meant: str) -> None:
    answer = op.get(path)
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"There is no address {path!r}; did you mean {meant}?"


def test_an_address_that_lacks_an_id_is_not_corrected_to_another(op: TestClient) -> None:
    answer = op.post("/jobs/v1/jobs//retry")
    assert answer.status_code == 404
    lacks = "There is no address '/jobs/v1/jobs//retry'; it has nothing between two slashes; /jobs/docs lists all"
    assert answer.json()["detail"] == lacks
    assert op.get("/jobs/v1//jobs").json()["detail"].endswith("; did you mean /jobs/v1/jobs?")


def test_an_address_like_no_other_names_the_list(op: TestClient) -> None:
    assert op.get("/jobs/v1/qqqq/zzzz").json()["detail"].endswith("; /jobs/docs lists all")


def test_another_method_is_answered_with_those_that_there_are(op: TestClient) -> None:
    answer = op.patch(f"{V1}/job-types")
    assert answer.status_code == 405
    assert answer.json()["detail"] == "This address takes GET and HEAD and POST, not PATCH"
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert op.get(f"{V1}/add_job").headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path", ["/v1/health", "/v1/jobs", "/v1/actions", "/metrics", "/docs", "/v1/job-types?limit=1"]
)
def test_head_answers_as_get_without_a_body(op: TestClient, path: str) -> None:
    head, get = op.head(f"/jobs{path}"), op.get(f"/jobs{path}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_head_of_health_needs_no_user(client_of: Clients) -> None:
    assert client_of(None).head(f"{V1}/health").status_code == 200
    assert client_of(None).head(f"{V1}/jobs").status_code == 401


def test_a_refusal_names_the_role_that_is_missing(client_of: Clients, definition: dict[str, Any]) -> None:
    refused = client_of("User").post(f"{V1}/job-types", json=definition)
    assert refused.status_code == 403
    assert "ask an administrator for the role Op" in refused.json()["detail"]
    refused = client_of("Viewer").post(f"{V1}/job-types/x/jobs", json={})
    assert "ask an administrator for the role User" in refused.json()["detail"]


def test_an_unknown_job_type_is_answered_with_a_similar_name(op: TestClient, name: str) -> None:
    op.post(f"{V1}/job-types", json=small(f"{name}-report"))
    for method, path in (("GET", ""), ("POST", "/jobs"), ("GET", "/revisions"), ("GET", "/diff"), ("POST", "/pause")):
        body = {"json": {}} if path == "/jobs" else {}
        answer = op.request(method, f"{V1}/job-types/{name}-reprot{path}", **body)
        assert answer.status_code == 404
        assert answer.json()["detail"] == f"No job type '{name}-reprot'; did you mean '{name}-report'?"


def test_a_similar_name_that_the_user_may_not_see_is_not_told(
    airflow_app: Any, client_of: Clients, op: TestClient, name: str
) -> None:
    op.post(f"{V1}/job-types", json=small(f"{name}-open"))
    member = team_roles.member(airflow_app, client_of, "reads", f"{name}-opem")
    assert member.get(f"{V1}/job-types/{name}-opem").json()["detail"] == f"No job type '{name}-opem'"


def test_a_dry_run_says_that_the_name_is_taken(op: TestClient, definition: dict[str, Any], name: str) -> None:
    free = op.post(f"{V1}/job-types?dry_run=true", json=definition).json()
    assert free["warnings"] == []
    op.post(f"{V1}/job-types", json=definition)
    (warning,) = op.post(f"{V1}/job-types?dry_run=true", json=definition).json()["warnings"]
    remedy = f"replace it with PUT /jobs/v1/job-types/{name}"
    assert warning == {"field": "name", "message": f"{name!r} exists, so POST will be a 409; {remedy}"}
    assert op.post(f"{V1}/job-types", json=definition).status_code == 409
