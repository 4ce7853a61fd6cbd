"""The original URL test API: `add_job` and `get_jobs`."""

from datetime import datetime
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import finish

ADD, GET = "/jobs/v1/add_job", "/jobs/v1/get_jobs"
JOBS = "/jobs/v1/jobs"


@pytest.fixture(scope="module", autouse=True)
def url_test(op: TestClient) -> None:
    """The built-in type, as a fresh installation has it."""
    from pathlib import Path

    import coinrequest.install

    source = Path(coinrequest.install.__file__).parent / "job_types" / "url-test.yaml"
    headers = {"Content-Type": "application/yaml"}
    answer = op.put("/jobs/v1/job-types/url-test", content=source.read_bytes(), headers=headers)
    assert answer.status_code in (200, 201), answer.text


def add(op: TestClient, url: str) -> str:
    answer = op.post(ADD, json={"url": url})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def test_an_added_url_is_a_job(op: TestClient) -> None:
    answer = op.post(ADD, json={"url": "example.org"})
    assert answer.status_code == 202
    body = answer.json()
    assert body["url"] == "example.org"
    assert answer.headers["location"] == body["links"]["self"] == f"{JOBS}/{body['job_id']}"
    job = op.get(body["links"]["self"]).json()
    assert (job["job_type"], job["params"]) == ("url-test", {"url": "example.org"})


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"{}",
        b'{"url": ""}',
        b'{"url": "  "}',
        b'{"url": null}',
        b'{"url": 3}',
        b'{"url": ["x"]}',
        b'{"url": "a\\u0000b"}',
        b'{"url": "\\ud800"}',
        b'{"uri": "x"}',
        b'{"url": "x", "more": 1}',
        b'{"url": "' + b"x" * 8193 + b'"}',
        b"\xff",
    ],
)
def test_an_invalid_url_is_refused_and_tests_nothing(op: TestClient, content: bytes) -> None:
    answer = op.post(ADD, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields <= {"", "url", "uri", "more"}


@pytest.mark.usefixtures("tables_unchanged")
def test_other_methods_are_refused(op: TestClient) -> None:
    assert {op.request(method, ADD).status_code for method in ("GET", "PUT", "DELETE")} == {405}
    assert {op.request(method, GET).status_code for method in ("POST", "PUT", "DELETE")} == {405}


ODD = [
    "http://example.org/?q='quoted'&r=\"double\"",
    "http://bücher.example/münchen?ß=ü#ø",
    "http://example.org/%00%2e%2e/",
    "http://example.org/ a b ",
    "javascript:alert(1)",
    "http://例え.テスト/😀",
    "a" * 8192,
]


def test_odd_urls_are_returned_unchanged(op: TestClient) -> None:
    for number, url in enumerate(ODD):
        finish("url-test", add(op, url), outputs={"test": {"url": url, "result": str(200 + number)}})
    found = op.get(f"{GET}?limit={len(ODD)}").json()
    assert [(test["url"], test["result"]) for test in found] == [
        (url, str(200 + number)) for number, url in reversed(list(enumerate(ODD)))
    ]
    for test in found:
        assert set(test) == {"time", "url", "result"}
        assert datetime.fromisoformat(test["time"]).utcoffset() is not None


def test_tests_are_ordered_by_their_end(op: TestClient) -> None:
    first, second, waiting = (add(op, f"http://example.org/{name}") for name in ("first", "second", "waiting"))
    finish("url-test", second, outputs={"test": {"result": "500"}})
    finish("url-test", first, outputs={"test": {"result": "could not connect"}})
    found = op.get(f"{GET}?limit=2").json()
    assert [(test["url"][-5:], test["result"]) for test in found] == [("first", "could not connect"), ("econd", "500")]
    assert [test["url"] for test in op.get(f"{GET}?limit=1&offset=1").json()] == [found[1]["url"]]
    finish("url-test", waiting)


def test_failed_and_cancelled_tests_are_listed(op: TestClient) -> None:
    broken, cancelled = add(op, "http://example.org/broken"), add(op, "http://example.org/cancelled")
    finish("url-test", broken, state="failed")
    op.post(f"{JOBS}/{cancelled}/cancel")
    found = op.get(f"{GET}?limit=2").json()
    assert [test["result"] for test in found] == ["cancelled", "the test failed; see the job's log"]


def test_a_failed_test_has_the_reason_of_its_task(op: TestClient) -> None:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    broken = add(op, "http://example.org/broken")
    with create_session(scoped=False) as session:
        XComModel.set(
            key="coinrequest_failure",
            value={"text": "it was not done within 2 seconds", "attempt": 1},
            dag_id="url-test",
            task_id="test",
            run_id=broken,
            serialize=False,
            session=session,
        )
    finish("url-test", broken, state="failed")
    assert op.get(f"{GET}?limit=1").json()[0]["result"] == "it was not done within 2 seconds"


def test_the_default_limit_is_ten(op: TestClient) -> None:
    for number in range(11):
        finish("url-test", add(op, f"http://example.org/{number}"), outputs={"test": {"result": "200"}})
    assert len(op.get(GET).json()) == 10
    assert len(op.get(f"{GET}?limit=11").json()) == 11
    assert op.get(f"{GET}?offset=1000000").json() == []


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("value", ["-1", "x", "", "1.5", "1" + "0" * 30, "-1" + "0" * 30, "%00", "NaN"])
def test_a_bad_page_is_refused(op: TestClient, name: str, value: str) -> None:
    answer = op.get(f"{GET}?{name}={value}")
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [name]


def test_a_limit_of_zero_is_refused(op: TestClient) -> None:
    assert op.get(f"{GET}?limit=0").status_code == 422


def test_a_page_is_one_query(op: TestClient) -> None:
    from airflow import settings
    from sqlalchemy import event

    statements: list[Any] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "coinrequest_job" in statement or "xcom" in statement:
            statements.append(statement)

    event.listen(settings.engine, "before_cursor_execute", note)
    try:
        op.get(GET)
    finally:
        event.remove(settings.engine, "before_cursor_execute", note)
    assert len(statements) == 1
