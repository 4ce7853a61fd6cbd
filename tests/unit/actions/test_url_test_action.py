import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.actions import errors, run
from support.http_stub import HttpStub, Reply
from support.raw_server import make_certificate, raw_server

from coinrequest.actions.base import ActionFailed
from coinrequest.actions.context import ActionContext
from coinrequest.actions.url_test import UrlTestAction, UrlTestFailed, UrlTestInputs


def test_a_test_returns_all_fields_of_its_result(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [Reply(500), Reply(302, headers={"Location": "/x"}), Reply(200)]
    seen = run("url.test", {"url": f"127.0.0.1:{http_stub.port}"})
    assert (seen["result"], seen["status"], seen["attempts"]) == ("200", 200, 2)
    assert seen["url"] == f"http://127.0.0.1:{http_stub.port}"
    assert set(seen["phases"]) == {"resolve", "connect", "tls", "first_byte", "transfer", "total"}
    redirect = seen["redirects"][0]
    assert (redirect["location"], redirect["remote_address"]) == ("/x", f"127.0.0.1:{http_stub.port}")
    assert set(redirect["phases"]) == set(seen["phases"])
    assert (seen["passed"], seen["error"], seen["failed_expectations"]) == (True, None, [])
    assert (seen["size"], seen["truncated"], seen["http_version"]) == (5, False, "1.0")
    assert seen["remote_address"] == f"127.0.0.1:{http_stub.port}"
    assert seen["final_url"] == f"{http_stub.url}/x"
    assert seen["certificate"] is None
    assert abs((datetime.now(UTC) - datetime.fromisoformat(seen["tested_at"])).total_seconds()) < 60


def test_a_url_that_is_refused_is_a_result(http_stub: HttpStub) -> None:
    seen = run("url.test", {"url": http_stub.url})
    assert seen["result"] == seen["error"] == "127.0.0.1 is refused: loopback address"
    assert (seen["status"], seen["passed"], seen["phases"]) == (None, False, None)
    assert http_stub.hits == []


def test_all_inputs_are_used(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [Reply(201, b'{"order": {"id": 7}}', headers={"X-Team": "data"})]
    inputs = {
        "url": http_stub.url,
        "method": "POST",
        "headers": {"X-Api": "1"},
        "body": "grün",
        "attempts": 2,
        "retry_errors": True,
        "timeout": 5,
        "connect_timeout": 2,
        "redirect_limit": 0,
        "ip_version": 4,
        "verify_tls": False,
        "expect": {
            "status": "201",
            "body_contains": "order",
            "body_matches": '"id": *[0-9]',
            "json_path": {"$.order.id": 7},
            "json_exists": ["$.order"],
            "headers": {"X-Team": "^data$"},
            "max_seconds": 5,
        },
        "must_pass": True,
    }
    assert run("url.test", inputs)["passed"] is True
    hit = http_stub.hits[0]
    assert (hit.method, hit.body, hit.headers["x-api"]) == ("POST", "grün".encode(), "1")
    assert hit.headers["content-type"] == "text/plain; charset=utf-8"


def test_failed_expectations_are_named(http_stub: HttpStub, loopback_allowed: None) -> None:
    expected = {"status": "204", "body_contains": "bye", "json_exists": ["$.a"], "certificate_days": 14}
    seen = run("url.test", {"url": http_stub.url, "attempts": 1, "expect": expected})
    assert seen["passed"] is False
    assert [text.partition(":")[0] for text in seen["failed_expectations"]] == [
        "status",
        "body_contains",
        "json_path $.a",
        "certificate_days",
    ]


def test_a_test_that_must_pass_fails_with_the_reasons(http_stub: HttpStub, loopback_allowed: None) -> None:
    http_stub.replies = [Reply(404)]
    url = f"http://ada:secret@127.0.0.1:{http_stub.port}/x"
    with pytest.raises(UrlTestFailed) as caught:
        run("url.test", {"url": url, "must_pass": True, "expect": {"body_contains": "bye"}})
    assert str(caught.value) == (
        f"{http_stub.url}/x: status: expected below 400, got 404; body_contains: 'bye' is not in the body (5 bytes)"
    )
    with pytest.raises(ActionFailed, match=r"^http://10\.0\.0\.1/: 10\.0\.0\.1 is refused: private address$"):
        run("url.test", {"url": "10.0.0.1", "must_pass": True})


def test_a_test_that_must_pass_names_the_days_of_a_refused_certificate(tmp_path: Path, loopback_allowed: None) -> None:
    certificate = make_certificate(tmp_path / "old.pem", "127.0.0.1", begins=-10, days=-3)
    with raw_server(b"", certificate) as server, pytest.raises(UrlTestFailed) as caught:
        run("url.test", {"url": server.url, "must_pass": True})
    assert re.search(r"; its certificate is valid until \d{4}-\d\d-\d\d, -3\.0 days are left$", str(caught.value))


def test_further_attempts_are_reported_as_progress(http_stub: HttpStub, loopback_allowed: None) -> None:
    reports: list[tuple[float, float | None, str]] = []

    class Context(ActionContext):
        def report(self, done: float, total: float | None = None, message: str = "") -> None:
            reports.append((done, total, message))

    http_stub.replies = [Reply(500), Reply(500), Reply(200)]
    UrlTestAction(Context()).run(UrlTestInputs(url=http_stub.url))
    assert reports == [(1, 3, "attempt 2 of 3"), (2, 3, "attempt 3 of 3")]


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"url": ""},
        {"url": 5},
        {"url": "x" * 9000},
        {"url": "x", "attempts": 0},
        {"url": "x", "attempts": 11},
        {"url": "x", "timeout": 0},
        {"url": "x", "timeout": 301},
        {"url": "x", "timeout": float("nan")},
        {"url": "x", "verb": "POST"},
        {"url": "x", "ip_version": 5},
        {"url": "x", "verify_tls": "no"},
    ],
)
def test_an_empty_url_is_refused(inputs: dict[str, Any]) -> None:
    assert errors("url.test", inputs)


@pytest.mark.parametrize(
    ("inputs", "field", "message"),
    [
        ({"method": "TRACE"}, "method", "'GET'"),
        ({"method": "HEAD", "body": "x"}, "body", "a HEAD request has no body"),
        ({"headers": {"Host": "x"}}, "headers", "the header Host cannot be set: the client sets it"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "headers", "must be one line of ASCII"),
        ({"expect": {"status": "2x"}}, "expect.status", "'2x' is not a status; write 200, 2xx or 200-299"),
        ({"expect": {"body_matches": "("}}, "expect.body_matches", "not an RE2 expression"),
        ({"expect": {"json_path": {"orders": 1}}}, "expect.json_path", "it must start with $"),
        ({"expect": {"json_exists": ["$["]}}, "expect.json_exists", "is not a JSONPath"),
        ({"expect": {"headers": {"x-a": "["}}}, "expect.headers", "not an RE2 expression"),
        ({"expect": {"max_seconds": 0}}, "expect.max_seconds", "greater than 0"),
    ],
)
def test_an_invalid_field_is_named(inputs: dict[str, Any], field: str, message: str) -> None:
    text = errors("url.test", {"url": "x", **inputs})
    assert f"\n{field}\n" in text
    assert message in text


def test_a_timeout_may_be_a_whole_number(http_stub: HttpStub, loopback_allowed: None) -> None:
    assert run("url.test", {"url": http_stub.url, "timeout": 5})["result"] == "200"
