"""What a route would ignore is refused: unknown parameters, misspelt headers, bodies that it does not read."""

from typing import Any

import pytest
from starlette.testclient import TestClient

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"
NO_JOB = f"{JOBS}/00000000-0000-7000-8000-000000000000"


def refusal(answer: Any) -> tuple[str, str]:
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    return error["field"], error["message"]


@pytest.mark.usefixtures("tables_unchanged")
def test_a_misspelt_dry_run_registers_nothing(op: TestClient, definition: dict[str, Any]) -> None:
    field, message = refusal(op.post(f"{TYPES}?dryrun=true", json=definition))
    assert (field, message) == ("dryrun", "there is no parameter 'dryrun'; did you mean 'dry_run'?")


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("status=failed", "status", "did you mean 'state'?"),
        ("Limit=5", "Limit", "did you mean 'limit'?"),
        ("labels=team:data", "labels", "did you mean 'label'?"),
        ("quux=1", "quux", "known: "),
        ("limit=1&limit=2", "limit", "is given 2 times; it takes one value"),
        ("cursor=", "cursor", "has no value"),
        ("type=", "type", "has no value"),
        ("label=", "label", "has no value"),
    ],
)
def test_a_parameter_that_would_be_ignored_is_named(op: TestClient, query: str, field: str, words: str) -> None:
    found, message = refusal(op.get(f"{JOBS}?{query}"))
    assert found == field
    assert words in message


def test_every_unknown_parameter_is_named_at_once(op: TestClient) -> None:
    answer = op.get(f"{JOBS}?status=failed&dry_run=true")
    assert [error["field"] for error in answer.json()["errors"]] == ["status", "dry_run"]


def test_every_route_refuses_unknown_parameters_except_those_for_monitors(
    op: TestClient, definition: dict[str, Any], name: str
) -> None:
    op.post(TYPES, json=definition)
    job = op.post(f"{TYPES}/{name}/jobs", json={}).json()["id"]
    paths = op.get("/jobs/openapi.json").json()["paths"]
    lenient = set()
    for path, operations in paths.items():
        address = path.format(id=job, name=name, number="1")
        for method, operation in operations.items():
            body = {"json": {}} if "requestBody" in operation else {}
            answer = op.request(method.upper(), f"/jobs{address}?no_such_parameter=1", **body)
            if answer.status_code != 422:
                lenient.add(path)
            else:
                assert "no_such_parameter" in answer.json()["errors"][0]["field"]
    assert lenient == {"/v1/health", "/metrics"}


@pytest.mark.parametrize("path", ["/jobs/docs?theme=dark", "/jobs/openapi.json?v=2", "/jobs/v1/health?_=1"])
def test_pages_and_monitors_may_add_parameters(op: TestClient, path: str) -> None:
    assert op.get(path).status_code == 200


@pytest.mark.parametrize("header", ["Idempotence-Key", "X-Idempotency-Key", "Idempotency_Key", "IdempotencyKey"])
@pytest.mark.usefixtures("tables_unchanged")
def test_a_misspelt_header_is_named(op: TestClient, header: str) -> None:
    field, message = refusal(op.post(f"{TYPES}/x/jobs", json={}, headers={header: "order-17"}))
    assert field == header.lower()
    assert "did you mean 'Idempotency-Key'?" in message


@pytest.mark.usefixtures("tables_unchanged")
def test_a_revision_is_not_ignored_where_none_is_compared(op: TestClient) -> None:
    field, message = refusal(op.delete(f"{TYPES}/x", headers={"If-Match": '"3"'}))
    assert field == "If-Match"
    assert "leave the header out" in message


def test_common_headers_are_no_misspellings(op: TestClient) -> None:
    common = {"If-None-Match": '"3"', "X-Request-Id": "1", "Accept-Language": "en", "Traceparent": "00-0-0-00"}
    assert op.get(JOBS, headers=common).status_code == 200


@pytest.mark.parametrize("path", [f"{NO_JOB}/retry", f"{TYPES}/x/pause", f"{TYPES}/x/resume"])
def test_a_body_that_would_be_ignored_is_refused(op: TestClient, path: str) -> None:
    field, message = refusal(op.post(path, json={"params": {"value": 2}}))
    assert (field, message) == ("", "this route takes no body; leave it out")
    for nothing in (b"", b"{}", b" null "):
        answer = op.post(path, content=nothing, headers={"Content-Type": "application/json"})
        assert answer.status_code == 404, answer.text
