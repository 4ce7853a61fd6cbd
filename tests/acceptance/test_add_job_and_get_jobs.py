"""The contract of the URL test, which has not changed since its first version."""

import time
from datetime import datetime
from typing import Any

import pytest
from support.client import API
from support.platform import Platform
from support.receiver import Answer, webhook_receiver
from support.waiting import eventually

UNREACHABLE = "http://127.0.0.1:9/"


def _add(platform: Platform, url: str) -> str:
    answer = platform.client("user").post(f"{API}/add_job", json={"url": url})
    assert answer.ok, answer.text
    return str(answer.json()["job_id"])


def _rows(platform: Platform, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = platform.client("viewer").json(f"{API}/get_jobs", params=query)
    return rows


def _row_of(platform: Platform, url: str) -> dict[str, Any]:
    return (
        eventually(
            lambda: next((row for row in _rows(platform, limit=50) if row["url"] == url), None),
            timeout=60,
            what=f"a row for {url}",
        )
        or {}
    )


def test_add_job_answers_with_the_id_of_the_job(platform: Platform) -> None:
    job = platform.succeeded(_add(platform, f"{platform.web.url}/"))
    assert job["job_type"] == "url-test"
    assert platform.client("user").get(f"{API}/add_job").status_code == 405


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"url": ""}', b'{"url": 5}', b'{"url": null}'])
def test_invalid_urls_are_refused(platform: Platform, body: bytes) -> None:
    answer = platform.client("user").post(f"{API}/add_job", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text


def test_it_answers_at_once_while_the_target_takes_ten_seconds(platform: Platform) -> None:
    _add(platform, f"{platform.web.url}/")
    started = time.monotonic()
    job_id = _add(platform, f"{platform.web.url}/slow/8")
    assert time.monotonic() - started < 1
    assert platform.succeeded(job_id)["result"]["result"] == "200"


def test_up_to_three_attempts_until_the_status_is_below_400(platform: Platform) -> None:
    cases = {"/status/200": ("200", 1), "/status/503": ("503", 3), "/flaky/contract": ("200", 2)}
    for path in cases:
        _add(platform, platform.web.url + path)
    for path, (result, hits) in cases.items():
        assert _row_of(platform, platform.web.url + path)["result"] == result
        assert platform.web.paths.count(path) == hits
    _add(platform, UNREACHABLE)
    text = _row_of(platform, UNREACHABLE)["result"]
    assert not text.isdigit()
    assert text


def test_completed_jobs_newest_first_that_survive_a_restart(platform: Platform) -> None:
    urls = [f"{platform.web.url}/?order={number}" for number in range(12)]
    for url in urls:
        platform.succeeded(_add(platform, url))
    rows = _rows(platform)
    assert [row["url"] for row in rows] == urls[:1:-1]
    assert set(rows[0]) == {"time", "url", "result"}
    assert [row["url"] for row in _rows(platform, limit=2, offset=10)] == urls[1::-1]
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    assert times == sorted(times, reverse=True)
    assert all(moment.tzinfo is not None for moment in times)
    platform.stack.restart("api-server")
    assert _rows(platform) == rows


def test_bad_requests_are_client_errors(platform: Platform) -> None:
    user = platform.client("user")
    assert user.post(f"{API}/get_jobs").status_code == 405
    for query in ("limit=x", "limit=0", "limit=-1", "limit=1e3", f"limit={10**30}", "offset=x", "offset=-1"):
        assert user.get(f"{API}/get_jobs?{query}").status_code == 422, query
    assert user.get(f"{API}/get_jobs?offset={10**30}").status_code == 422
    assert user.get(f"{API}/get_jobs?offset=1000000").json() == []


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "http://10.0.0.1/", "http://[::1]/"]
)
def test_private_targets_are_refused(platform: Platform, url: str) -> None:
    answer = platform.client("user").post(f"{API}/add_job", json={"url": url})
    if answer.status_code == 422:
        return
    assert not _row_of(platform, url)["result"].isdigit()


def test_a_redirect_to_a_private_address_is_not_followed(platform: Platform) -> None:
    with webhook_receiver() as target:
        target.otherwise = Answer(status=302, headers={"Location": "http://10.0.0.1/"})
        url = f"{target.url}/redirect"
        _add(platform, url)
        result = _row_of(platform, url)["result"]
    assert "10.0.0.1" in result
    assert "refused" in result


def test_odd_urls_come_back_exactly(platform: Platform) -> None:
    base = platform.web.url
    urls = [
        f"{base}/?q='quoted'",
        f'{base}/?q="double"',
        f"{base}/?q=ünïcödé-✓",
        f"{base}/?q=%00%27;--",
        f"{base}/?a=1&b=<b>",
    ]
    for url in urls:
        _add(platform, url)
    for url in urls:
        assert _row_of(platform, url)["url"] == url
