"""1,000 jobs while every process is killed with -9 repeatedly: none is lost or counted twice, all send notices."""

import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from support.client import API
from support.documents import job_type, new_name, wait_task
from support.platform import Platform
from support.receiver import Receiver, webhook_receiver
from support.waiting import eventually

from coinrequest.stack.state import ProcessState

pytestmark = pytest.mark.faults

JOBS = 1000
SUBMITTERS = 4
KILLS = ("agent-1", "scheduler", "api-server", "gateway", "redis", "agent-2", "scheduler", "gateway")
SECONDS_BETWEEN_KILLS = (5.0, 15.0)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as running:
        yield running


class Submitter:
    """A client as the documentation recommends: each job has a key, and requests that fail are repeated."""

    def __init__(self, platform: Platform, name: str) -> None:
        self._platform = platform
        self._path = f"{API}/job-types/{name}/jobs"
        self.repeats = 0

    def submit(self, number: int) -> str:
        deadline = time.monotonic() + 300
        while True:
            try:
                answer = self._platform.client("user").post(
                    self._path,
                    json={"params": {}, "labels": {"number": str(number)}},
                    headers={"Idempotency-Key": f"{self._path}-{number}"},
                    timeout=30,
                )
            except requests.RequestException as error:
                reason: Any = error
            else:
                if answer.status_code in (200, 202):
                    return str(answer.json()["id"])
                reason = answer.text
                assert answer.status_code >= 500, reason
            assert time.monotonic() < deadline, reason
            self.repeats += 1
            time.sleep(0.2)


def _kill_again_and_again(platform: Platform, chance: random.Random, over: threading.Event) -> None:
    for process in KILLS:
        if over.wait(chance.uniform(*SECONDS_BETWEEN_KILLS)):
            return
        # One that is still coming back from the death before has nothing to lose yet.
        eventually(
            lambda: platform.stack.status().processes[process].state is ProcessState.RUNNING,  # noqa: B023
            timeout=120,
            what=f"{process} runs",
        )
        platform.stack.kill(process, signal.SIGKILL)


def _register(platform: Platform, receiver: Receiver) -> str:
    name = new_name("faults")
    notify = [{"on": ["success", "failure"], "webhook": f"{receiver.url}/{name}"}]
    task = wait_task(retries={"max": 10, "delay": "1s"})
    platform.register(job_type(name, task, notify=notify, concurrency={"max_jobs": 100}))
    return name


def test_1000_jobs_survive_the_death_of_every_process(
    platform: Platform, receiver: Receiver, record_property: Any
) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    record_property("seed", seed)
    chance = random.Random(seed)  # noqa: S311 - chooses moments, guards nothing
    name = _register(platform, receiver)
    submitter, over = Submitter(platform, name), threading.Event()
    started = time.monotonic()
    with ThreadPoolExecutor(SUBMITTERS + 1) as pool:
        killing = pool.submit(_kill_again_and_again, platform, chance, over)
        try:
            accepted = list(pool.map(submitter.submit, range(JOBS)))
            submitted = time.monotonic() - started
            _await(platform, "SELECT count(*) FROM coinrequest_job WHERE job_type = :name AND state = 'success'", name)
            killing.result()
        finally:
            over.set()
    done = time.monotonic() - started
    platform.await_healthy()

    assert len(set(accepted)) == JOBS
    states = dict(
        platform.sql("SELECT state, count(*) FROM coinrequest_job WHERE job_type = :name GROUP BY 1", name=name)
    )
    assert states == {"success": JOBS}
    assert {row.id for row in _jobs(platform, name)} == set(accepted)
    assert platform.sql("SELECT count(*) FROM dag_run WHERE dag_id = :name", name=name)[0][0] == JOBS

    _await(
        platform,
        "SELECT count(*) FROM coinrequest_notice AS n JOIN coinrequest_job AS j ON j.id = n.job_id"
        " WHERE j.job_type = :name AND n.state = 'delivered'",
        name,
        timeout=180,
    )
    notices = platform.sql(
        "SELECT n.job_id, n.id FROM coinrequest_notice AS n JOIN coinrequest_job AS j ON j.id = n.job_id"
        " WHERE j.job_type = :name",
        name=name,
    )
    assert len(notices) == JOBS, "a job completed more than once, or its notice was made twice"
    received = receiver.at(f"/{name}")
    told = Counter(json.loads(request.body)["data"]["job_id"] for request in received)
    assert set(told) == set(accepted), "a notice never arrived"
    # A gateway that is killed between the answer and its note of it delivers again, under the same message id.
    messages = {(json.loads(request.body)["data"]["job_id"], request.headers["webhook-id"]) for request in received}
    assert len(messages) == JOBS
    print(
        f"\n1,000 jobs, seed {seed}, {len(KILLS)} kills: submitted in {submitted:.0f} s with"
        f" {submitter.repeats} repeated requests, done after {done:.0f} s,"
        f" told after {time.monotonic() - started:.0f} s,"
        f" {len(received) - JOBS} notices delivered twice"
    )


def _await(platform: Platform, count: str, name: str, timeout: float = 900.0) -> None:
    eventually(
        lambda: platform.sql(count, name=name)[0][0] >= JOBS,
        timeout=timeout,
        interval=1.0,
        what=f"{JOBS} of: {count}",
    )


def _jobs(platform: Platform, name: str) -> list[Any]:
    return platform.sql("SELECT id::text FROM coinrequest_job WHERE job_type = :name", name=name)
