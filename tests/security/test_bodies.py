"""The web server limits the size of request bodies on every route, for every client."""

import asyncio
import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import Clients

pytestmark = [
    pytest.mark.security,
    pytest.mark.usefixtures("airflow_app"),
    # If reading a body fails, Starlette leaves its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MIB = 1024 * 1024
SIGN_IN = ["/auth/token", "/auth/token/cli", "/auth/login/", "/auth/api/v1/security/login"]
STRANGERS = ["/api/v2/variables", "/ui/backfills/dry_run", "/jobs/v1/job-types", "/execution/xcoms/a/b/c/d", "/auth/x"]


def refused(answer: Any) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    assert "is larger than" in answer.json()["detail"]
    return bool(answer.status_code == 413)


def test_a_client_that_is_not_signed_in_sends_at_most_16_kib(client_of: Clients, tables_unchanged: None) -> None:
    stranger = client_of(None)
    said = {"Content-Length": str(150 * MIB), "Content-Type": "application/json"}
    for path in (*SIGN_IN, *STRANGERS):
        assert refused(stranger.post(path, content=b"{", headers=said)), path
        assert refused(stranger.post(path, content=b" " * 16_385, headers={"Content-Type": "application/json"})), path


@pytest.mark.parametrize("path", [*SIGN_IN, "/api/v2/variables", "/auth/x", "/execution/xcoms/a/b/c/d"])
def test_a_body_without_a_content_length_is_not_read_beyond_the_limit(airflow_app: Any, path: str) -> None:
    answer, taken = asyncio.run(send(airflow_app, path, 150 * MIB))
    assert answer["status"] == 413
    assert taken <= 2 * 65536


@pytest.mark.parametrize(
    ("path", "limit"), [("/api/v2/variables", MIB), ("/auth/x", MIB), ("/execution/xcoms/a/b/c/d", 10 * MIB)]
)
def test_a_signed_in_client_has_a_higher_limit(airflow_app: Any, tokens: dict[str, str], path: str, limit: int) -> None:
    token = (b"authorization", f"Bearer {tokens['Admin']}".encode())
    answer, taken = asyncio.run(send(airflow_app, path, 150 * MIB, token))
    assert answer["status"] == 413
    assert limit < taken <= limit + 2 * 65536


async def send(app: Any, path: str, size: int, *headers: tuple[bytes, bytes]) -> tuple[dict[str, Any], int]:
    """Send a body in chunks; return the start of the response, and the number of bytes that were read."""
    taken = 0
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 65536
        return {"type": "http.request", "body": b" " * 65536, "more_body": taken < size}

    async def answer(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "server": ("testserver", 80),
        "client": ("192.0.2.1", 1234),
        "headers": [
            (b"host", b"testserver"),
            (b"content-type", b"application/json"),
            (b"transfer-encoding", b"chunked"),
            *headers,
        ],
    }
    await app(scope, receive, answer)
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1
    return starts[0], taken


def test_a_body_within_the_limit_arrives_unchanged(op: TestClient, name: str) -> None:
    value = "x" * 900_000
    assert op.post("/api/v2/variables", json={"key": name, "value": value}).status_code == 201
    assert op.get(f"/api/v2/variables/{name}").json()["value"] == value
    assert op.delete(f"/api/v2/variables/{name}").status_code == 204


def test_the_largest_result_of_a_task_is_within_the_limit() -> None:
    """An agent sends it as JSON within JSON, where a quote takes two more bytes."""
    from coinrequest.airflow.api_server.security_middleware import AGENT_BYTES
    from coinrequest.limits import MAX_RESULT_BYTES

    most = json.dumps(json.dumps(['"\\' * (MAX_RESULT_BYTES // 4 - 10)]))
    assert len(most) < 3 * MAX_RESULT_BYTES < AGENT_BYTES
