"""Requests that a page of another origin sends with the cookie of a signed-in user change nothing."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from support import api_environment as environment
from support.api_environment import Clients

pytestmark = [pytest.mark.security, pytest.mark.usefixtures("airflow_app")]

TYPES = "/jobs/v1/job-types"
OWN = "http://testserver"
# The address of the installation, as users see it behind a proxy.
PUBLIC = "http://airflow.test"
FOREIGN: list[dict[str, str]] = [
    {"origin": "http://testserver:8081", "sec-fetch-site": "same-site"},
    {"origin": "http://testserver:8081"},
    {"origin": "https://testserver"},
    {"origin": "http://sibling.testserver"},
    {"origin": "https://example.org", "sec-fetch-site": "cross-site"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://testserver.example.org"},
    {"origin": "http://testserver@example.org"},
    {"origin": "http://example.org@testserver"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site"},
    {"origin": PUBLIC + ":99999"},
    {},
]
OURS: list[dict[str, str]] = [
    {"origin": OWN},
    {"origin": OWN + ":80", "sec-fetch-site": "same-origin"},
    {"origin": PUBLIC},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
]


@pytest.fixture
def browser(client_of: Clients, tokens: dict[str, str]) -> TestClient:
    """A client that is signed in with the cookie alone."""
    client = client_of(None)
    client.cookies.set("_token", tokens["Admin"])
    return client


@pytest.fixture
def job_type(op: TestClient, name: str) -> str:
    assert op.post(TYPES, json=environment.definition(name)).status_code == 201
    return name


@pytest.fixture
def job(op: TestClient, job_type: str) -> str:
    return str(op.post(f"{TYPES}/{job_type}/jobs", json={}).json()["id"])


def test_a_page_of_another_origin_cannot_register_a_type(
    browser: TestClient, definition: dict[str, Any], tables_unchanged: None
) -> None:
    for headers in FOREIGN:
        answer = browser.post(TYPES, json=definition, headers=headers)
        assert answer.status_code == 403, (headers, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Authorization: Bearer" in answer.json()["detail"]


@pytest.mark.usefixtures("tables_unchanged")
def test_repeated_headers_do_not_bypass_the_check(
    client_of: Clients, tokens: dict[str, str], definition: dict[str, Any]
) -> None:
    """HTTP/2 lets a browser split its cookies over several lines."""
    cookie = ("cookie", f"_token={tokens['Admin']}")
    for headers in (
        [("cookie", "a=b"), cookie, ("origin", "http://evil.example")],
        [cookie, ("origin", OWN), ("origin", "http://evil.example")],
    ):
        assert client_of(None).post(TYPES, json=definition, headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["/auth/login", "/jobs/v1/events", "/ui/dags"])
def test_websockets_are_refused(client_of: Clients, path: str) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, client_of(None).websocket_connect(path):
        pass
    assert refused.value.code == 1008


@pytest.mark.parametrize("headers", OURS)
def test_a_page_of_the_same_origin_can_register_a_type(
    browser: TestClient, definition: dict[str, Any], headers: dict[str, str]
) -> None:
    assert browser.post(TYPES, json=definition, headers=headers).status_code == 201


def test_a_page_of_another_origin_cannot_use_any_unsafe_route(
    browser: TestClient, job_type: str, job: str, tables_unchanged: None
) -> None:
    ours, airflows = f"{TYPES}/{job_type}", f"/api/v2/dags/{job_type}"
    requests: list[tuple[str, str, Any]] = [
        ("POST", f"{ours}/jobs", {}),
        ("POST", f"{ours}/pause", None),
        ("POST", f"{ours}/resume", None),
        ("PUT", ours, environment.definition(job_type)),
        ("DELETE", ours, None),
        ("POST", f"/jobs/v1/jobs/{job}/cancel", None),
        ("POST", f"/jobs/v1/jobs/{job}/retry", None),
        ("POST", "/jobs/v1/add_job", {"url": "https://example.org"}),
        ("PATCH", airflows, {"is_paused": True}),
        ("DELETE", airflows, None),
        ("POST", f"{airflows}/dagRuns", {"logical_date": None}),
        ("PATCH", f"{airflows}/dagRuns/{job}", {"state": "failed"}),
        ("POST", f"{airflows}/clearTaskInstances", {"dry_run": False}),
        ("POST", "/api/v2/variables", {"key": "a", "value": "b"}),
        ("POST", "/api/v2/connections", {"connection_id": "a", "conn_type": "http"}),
        ("POST", "/auth/fab/v1/users", {"username": "a"}),
        ("POST", "/ui/backfills/dry_run", {}),
    ]
    for method, path, body in requests:
        for headers in (FOREIGN[0], {}):
            answer = browser.request(method, path, json=body, headers=headers)
            assert answer.status_code == 403, (method, path, answer.text)
            assert "The cookie does not authenticate this request" in answer.text


def test_a_body_sent_with_the_cookie_needs_the_content_type_json(
    browser: TestClient, name: str, tables_unchanged: None
) -> None:
    body = json.dumps({**environment.definition(name), "key": name, "value": "x"})
    for kind in ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"):
        headers = {"origin": OWN, **({"content-type": kind} if kind else {})}
        for path in (TYPES, "/api/v2/variables"):
            answer = browser.post(path, content=body, headers=headers)
            assert answer.status_code == 415, (kind, path, answer.text)


def test_a_request_with_a_token_needs_no_origin_of_ours(client_of: Clients, definition: dict[str, Any]) -> None:
    answer = client_of("Op").post(TYPES, content=json.dumps(definition), headers={"origin": "https://example.org"})
    assert answer.status_code == 201


def test_a_request_with_a_token_and_the_cookie_needs_no_origin(
    browser: TestClient, tokens: dict[str, str], definition: dict[str, Any]
) -> None:
    """A page of another origin needs a preflight request to send the header, and that is refused."""
    headers = {"Authorization": f"Bearer {tokens['Op']}"}
    assert browser.post(TYPES, json=definition, headers=headers).status_code == 201
    asked = browser.options(
        TYPES,
        headers={
            "origin": "https://example.org",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization",
        },
    )
    assert not [name for name in asked.headers if name.startswith("access-control-")]


def test_basic_credentials_do_not_replace_a_token(browser: TestClient, definition: dict[str, Any]) -> None:
    answer = browser.post(TYPES, json=definition, headers={"Authorization": "Basic YWRtaW46YWRtaW4="})
    assert answer.status_code == 403


def test_reading_is_allowed_and_changes_nothing(
    browser: TestClient, op: TestClient, job: str, tables_unchanged: None
) -> None:
    """Safe methods are allowed from any origin, but a page of another origin cannot read the response."""
    described = op.get("/jobs/openapi.json").json()["paths"]
    for path, methods in described.items():
        if "get" not in methods or path.endswith("/events"):
            continue
        address = f"/jobs{path}".replace("{id}", job).replace("{name}", "url-test").replace("{number}", "1")
        answer = browser.get(address, headers={"origin": "https://example.org"})
        assert answer.status_code != 500, (address, answer.text)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/jobs/docs", "/jobs/v1/jobs", "/", "/api/v2/version", "/auth/login/", "/nothing"])
def test_pages_cannot_be_framed_by_another_origin(client_of: Clients, path: str) -> None:
    answer = client_of(None).get(path)
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]


def test_airflows_cors_is_off() -> None:
    from airflow.configuration import conf

    for option in ("origins", "methods", "headers"):
        assert conf.getlist("api", f"access_control_allow_{option}") == []


def test_an_origin_that_the_administrator_allows_is_accepted() -> None:
    from coinrequest.airflow.api_server.security_middleware import SecurityMiddleware

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    client = TestClient(SecurityMiddleware(app, ["https://pages.example.org"]))
    client.cookies.set("_token", "anything")
    allowed = client.post("/jobs/v1/x", headers={"origin": "https://pages.example.org"})
    other = client.post("/jobs/v1/x", headers={"origin": "https://other.example.org"})
    assert (allowed.status_code, other.status_code) == (204, 403)
