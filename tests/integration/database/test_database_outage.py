"""PostgreSQL stops and starts again while jobs are submitted."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.client import API
from support.platform import Platform
from support.waiting import eventually

pytestmark = pytest.mark.faults


def test_accepted_jobs_finish_and_refused_ones_are_told_so(platform: Platform) -> None:
    client = platform.client("user")
    stop = threading.Event()
    accepted: list[str] = []
    refused: list[str] = []

    def submit_again_and_again() -> None:
        while not stop.is_set():
            answer = client.post(f"{API}/job-types/integer/jobs", json={"params": {"value": 0}})
            if answer.status_code == 202:
                accepted.append(answer.json()["id"])
            else:
                assert answer.status_code == 503, f"{answer.status_code} {answer.text}"
                assert answer.headers["content-type"] == "application/problem+json"
                assert int(answer.headers["retry-after"]) > 0
                refused.append(answer.json()["detail"])
            stop.wait(0.25)

    with ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(submit_again_and_again) for _ in range(2)]
        try:
            eventually(lambda: len(accepted) >= 4, what="jobs before the outage")
            with platform.without("postgres"):
                eventually(lambda: len(refused) >= 4, what="refused jobs")
            count = len(accepted)
            eventually(lambda: len(accepted) >= count + 4, timeout=60, what="jobs after the outage")
        finally:
            stop.set()
        for load in loads:
            load.result()

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda job: platform.finished(job, timeout=120), accepted))
    assert {job["id"] for job in done} == set(accepted)
    assert {job["state"] for job in done} <= {"success", "failed"}
    # Nothing that was refused was started all the same.
    rows = platform.sql(
        "SELECT id::text FROM coinrequest_job WHERE id >= :first ::uuid AND origin = 'rest'", first=min(accepted)
    )
    assert {row.id for row in rows} == set(accepted)
    assert [job for job in done[-4:] if job["state"] != "success"] == []
