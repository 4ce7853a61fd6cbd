"""URL tests are jobs like all others, submitted without waiting for the target."""

import time

from support.client import API
from support.platform import Platform


def test_a_url_test_is_accepted_while_the_target_takes_its_time(platform: Platform) -> None:
    target = f"{platform.web.url}/slow/4"
    started = time.monotonic()
    answer = platform.client("user").post(f"{API}/job-types/url-test/jobs", json={"params": {"url": target}})
    took = time.monotonic() - started
    assert answer.status_code == 202
    assert answer.headers["location"].endswith(answer.json()["id"])
    assert took < 2
    job = platform.succeeded(answer.json()["id"])
    assert (job["result"]["url"], job["result"]["result"]) == (target, "200")
    assert job["result"]["phases"]["total"] >= 4


def test_the_result_describes_the_response_of_the_url(platform: Platform) -> None:
    paths = {"/status/404": "404", "/status/500": "500", "/flaky/once": "200"}
    urls = [platform.web.url + path for path in paths]
    jobs = platform.submit_all("url-test", [{"url": url} for url in urls])
    found = {job["result"]["url"]: job["result"]["result"] for job in map(platform.succeeded, jobs)}
    assert found == dict(zip(urls, paths.values(), strict=True))
    assert platform.web.paths.count("/status/500") == 3


def test_bad_requests_are_refused(platform: Platform) -> None:
    user, address = platform.client("user"), f"{API}/job-types/url-test/jobs"
    assert user.get(address).status_code == 405
    assert user.post(address, data=b"{").status_code == 422
    assert user.post(address, json={"params": {}}).status_code == 422
    assert user.post(address, json={"params": {"url": ""}}).status_code == 422


def test_prices_integers_and_url_tests_are_types_of_one_table_through_one_api(platform: Platform) -> None:
    jobs = {
        "integer": platform.submit("integer", {"value": 0}),
        "url-test": platform.submit("url-test", {"url": f"{platform.web.url}/"}),
        "coin-prices": platform.submit("coin-prices"),
    }
    shapes = {frozenset(platform.succeeded(job)) for job in jobs.values()}
    assert len(shapes) == 1
    rows = platform.sql(
        "SELECT id::text, job_type FROM coinrequest_job WHERE id::text = ANY(:ids)", ids=[*jobs.values()]
    )
    assert {row.job_type: row.id for row in rows} == jobs
    listed = [job["id"] for job in platform.client("viewer").json(f"{API}/jobs?limit=100")["jobs"]]
    assert set(jobs.values()) <= set(listed)
