"""What a schedule does over real time: when a job takes longer than an interval, and after a pause."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from support.client import API
from support.documents import job_type, new_name, wait_task
from support.platform import Platform
from support.waiting import eventually

# Schedules take minutes of real time.
pytestmark = pytest.mark.faults

STEP = timedelta(seconds=4)
# Longer than an interval, and shorter than two.
LONG = wait_task(value=5)


@pytest.fixture
def name(platform: Platform) -> Iterator[str]:
    name = new_name("scheduled")
    yield name
    platform.op.post(f"{API}/job-types/{name}/pause")


def started(platform: Platform, name: str) -> list[dict[str, Any]]:
    """Return the jobs of the schedule that have started, in the order of their times."""
    jobs = [job for job in platform.jobs(type=name) if job["origin"] == "schedule"]
    details = [platform.job(job["id"]) for job in jobs]
    return sorted((job for job in details if job["started_at"]), key=due)


def due(job: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(job["run_after"])


def start(job: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(job["started_at"])


def end(job: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(job["ended_at"]) if job["ended_at"] else datetime.max.replace(tzinfo=UTC)


def first_three(platform: Platform, name: str) -> list[dict[str, Any]]:
    eventually(lambda: len(started(platform, name)) >= 3, timeout=90, what="three jobs of the schedule")
    jobs = started(platform, name)[:3]
    assert all(end(before) <= start(after) for before, after in pairwise(jobs)), "two of them ran at once"
    return jobs


def test_a_time_at_which_the_job_before_runs_is_dropped(platform: Platform, name: str) -> None:
    platform.register(job_type(name, LONG, schedule={"every": "4s", "overlap": "skip"}))
    jobs = first_three(platform, name)
    # None of them is late: what was due while one ran is not made up for.
    assert all(due(after) > end(before) for before, after in pairwise(jobs))
    dropped = platform.op.get(f"{API}/job-types/{name}").json()["last_dropped"]
    assert dropped["reason"] == "overlap"
    assert datetime.fromisoformat(dropped["due"]) not in {due(job) for job in jobs}


def test_a_time_at_which_the_job_before_runs_waits_in_a_queue(platform: Platform, name: str) -> None:
    platform.register(job_type(name, LONG, schedule={"every": "4s", "overlap": "queue"}))
    jobs = first_three(platform, name)
    assert {due(after) - due(before) for before, after in pairwise(jobs)} == {STEP}
    assert platform.op.get(f"{API}/job-types/{name}").json()["last_dropped"] is None


def test_a_submitted_job_runs_beside_a_scheduled_one(platform: Platform, name: str) -> None:
    platform.register(job_type(name, wait_task(value=8), schedule={"every": "4s"}))
    eventually(lambda: started(platform, name), timeout=60, what="a job of the schedule")
    submitted = platform.await_state(platform.submit(name), "running")
    (scheduled,) = started(platform, name)
    assert start(submitted) < end(scheduled)


@pytest.mark.parametrize("overlap", ["skip", "queue", "allow"])
def test_a_type_that_is_resumed_waits_for_its_next_time(platform: Platform, name: str, overlap: str) -> None:
    platform.register(job_type(name, schedule={"every": "4s", "overlap": overlap}))
    eventually(lambda: started(platform, name), timeout=60, what="a job of the schedule")
    assert platform.op.post(f"{API}/job-types/{name}/pause").ok
    paused = datetime.now(UTC)
    eventually(lambda: datetime.now(UTC) - paused > 3 * STEP, timeout=30, what="several times were missed")
    assert platform.op.post(f"{API}/job-types/{name}/resume").ok
    resumed = datetime.now(UTC)
    eventually(lambda: due(started(platform, name)[-1]) > resumed, timeout=60, what="a job of a later time")
    assert not [job for job in started(platform, name) if paused < due(job) <= resumed]
