"""Jobs use Airflow's connections by name, and the secrets are not shown to others."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.documents import job_type, new_name
from support.platform import Platform

PASSWORD = "correct-horse/battery staple"
TOKEN = "token-of-the-shop"


@pytest.fixture
def connection(platform: Platform) -> Iterator[str]:
    """A connection to the web server of the tests."""
    name = new_name("shop")
    stored = {
        "connection_id": name,
        "conn_type": "http",
        "host": f"127.0.0.1:{platform.web.port}",
        "schema": "http",
        "login": "me",
        "password": PASSWORD,
        "extra": f'{{"api_key": "{TOKEN}"}}',
    }
    answer = platform.client("admin").post("/api/v2/connections", json=stored)
    assert answer.status_code == 201, answer.text
    yield name
    platform.client("admin").delete(f"/api/v2/connections/{name}")


def ask(**inputs: Any) -> dict[str, Any]:
    return {"id": "ask", "action": "http.request", "inputs": inputs}


def test_a_job_reads_a_connection_by_its_name(platform: Platform, connection: str) -> None:
    name = new_name("connected")
    platform.register(job_type(name, ask(connection=connection, url=f"/status/200?{name}")))
    job = platform.run(name)
    assert platform.web.paths.count(f"/status/200?{name}") == 1
    seen = f"{job}{platform.task_logs(name, job['id'], width=100_000)}"
    assert PASSWORD not in seen
    assert TOKEN not in seen


def test_no_secret_is_in_the_reason_of_a_failure(platform: Platform, connection: str) -> None:
    name = new_name("connected")
    platform.register(job_type(name, ask(connection=connection, url=f"/status/418?{name}")))
    job = platform.finished(platform.submit(name))
    assert "418" in job["error"]["message"]
    seen = f"{job}{platform.task_logs(name, job['id'], width=100_000)}"
    assert PASSWORD not in seen
    assert TOKEN not in seen


def test_the_error_for_a_missing_connection_says_how_to_create_it(platform: Platform) -> None:
    name = new_name("unconnected")
    platform.register(job_type(name, ask(connection="no-such-shop", url="/")))
    error = platform.finished(platform.submit(name))["error"]
    assert "there is no connection 'no-such-shop'" in error["message"]
    assert "Admin, Connections" in error["message"]
