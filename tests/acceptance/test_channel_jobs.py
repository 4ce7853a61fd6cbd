"""Jobs come over the broker, and results go back over it."""

import json
import signal
import uuid
from collections.abc import Iterator
from datetime import datetime

import pytest
from support.client import API
from support.platform import AGENTS, Platform
from support.user_interface import UserInterface, user_interface
from support.waiting import always, eventually


@pytest.fixture
def submitter(platform: Platform) -> Iterator[UserInterface]:
    with user_interface(platform.channel_url) as program:
        yield program


def test_an_integer_job_over_the_broker(platform: Platform, submitter: UserInterface) -> None:
    job_id = submitter.submit(3)
    (result,) = submitter.wait_for(job_id)
    assert set(result) == {"job_id", "job_type", "state", "result", "error", "ended_at"}
    assert (result["job_id"], result["job_type"], result["state"]) == (job_id, "integer", "success")
    assert result["error"] is None
    assert "job complete" in json.dumps(result["result"])
    assert datetime.fromisoformat(result["ended_at"]).tzinfo is not None

    job = platform.job(job_id)
    assert (job["state"], job["origin"], job["params"]) == ("success", "channel", {"value": 3})
    started, ended = (datetime.fromisoformat(job[key]) for key in ("started_at", "ended_at"))
    assert (ended - started).total_seconds() >= 3

    # Taken, done, published, each with the job's id.
    gateway = platform.stack.layout.log("gateway").read_text()
    assert sum(job_id in line for line in gateway.splitlines()) >= 2, "taken and published"
    tasks = platform.task_logs("integer", job_id)
    assert f"Job {job_id}: task" in tasks
    assert "done" in tasks


def test_the_shorter_job_answers_first_and_each_result_names_its_job(submitter: UserInterface) -> None:
    long, short = submitter.submit(5), submitter.submit(1)
    first, second = submitter.wait_for(long, short)
    assert (first["job_id"], first["result"]["value"]) == (short, 1)
    assert (second["job_id"], second["result"]["value"]) == (long, 5)


def test_twenty_jobs_give_twenty_results(platform: Platform, submitter: UserInterface) -> None:
    jobs = [submitter.submit(1) for _ in range(20)]
    results = submitter.wait_for(*jobs, timeout=120)
    submitter.listen(1)
    assert sorted(result["job_id"] for result in results) == sorted(jobs)
    assert {result["state"] for result in results} == {"success"}
    used = {
        agent for agent in AGENTS for job in jobs if job in platform.stack.layout.log(agent).read_text(errors="replace")
    }
    assert used == set(AGENTS)


def test_the_same_id_twice_is_one_job_with_one_result(platform: Platform, submitter: UserInterface) -> None:
    job_id = submitter.submit(0)
    submitter.submit(0, job_id=job_id)
    submitter.wait_for(job_id)
    submitter.submit(0, job_id=job_id)
    other = submitter.submit(0)
    submitter.wait_for(other)
    assert [result["job_id"] for result in submitter.results].count(job_id) == 1
    assert platform.sql("SELECT count(*) FROM dag_run WHERE run_id = :job", job=job_id)[0][0] == 1


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"type": "integer", "value": "three"}, "value"),
        ({"type": "no-such-type", "value": 3}, "no-such-type"),
    ],
)
def test_refused_messages_are_answered(submitter: UserInterface, payload: dict[str, object], said: str) -> None:
    job_id = str(uuid.uuid4())
    submitter.publish({"job_id": job_id, "job_payload": payload})
    (result,) = submitter.wait_for(job_id)
    assert result["state"] != "success"
    assert said in str(result["error"])


def test_the_full_form_of_a_message(platform: Platform, submitter: UserInterface) -> None:
    job_id = str(uuid.uuid4())
    submitter.publish(
        {
            "job_id": job_id,
            "job_type": "integer",
            "params": {"value": 0},
            "priority": 100,
            "labels": {"team": "channel"},
        }
    )
    submitter.wait_for(job_id)
    job = platform.job(job_id)
    assert (job["priority"], job["labels"]) == (100, {"team": "channel"})
    assert job_id in {found["id"] for found in platform.jobs(label="team:channel")}


@pytest.mark.faults
def test_a_job_waits_for_agents_and_is_answered_then(platform: Platform, submitter: UserInterface) -> None:
    with platform.without(*AGENTS):
        job_id = submitter.submit(0)
        eventually(lambda: platform.client("viewer").get(f"{API}/jobs/{job_id}").ok, what="the job is stored")
        always(lambda: platform.job(job_id)["state"] in ("queued", "running"), seconds=1)
    submitter.wait_for(job_id)


@pytest.mark.faults
def test_jobs_and_results_wait_while_the_gateway_is_stopped(platform: Platform, submitter: UserInterface) -> None:
    """Published messages wait at the broker, and completed jobs in the outbox."""
    over_rest = platform.submit("integer", {"value": 1})
    over_the_channel = submitter.submit(2)
    eventually(lambda: platform.client("viewer").get(f"{API}/jobs/{over_the_channel}").ok, what="the job is stored")
    with platform.without("gateway"):
        waiting = submitter.submit(0)
        platform.succeeded(over_rest)
        platform.succeeded(over_the_channel)
        assert not submitter.results
    submitter.wait_for(waiting, over_the_channel)


@pytest.mark.faults
def test_a_gateway_that_is_killed_loses_nothing(platform: Platform, submitter: UserInterface) -> None:
    first = [submitter.submit(0) for _ in range(10)]
    platform.stack.kill("gateway", signal.SIGKILL)
    second = [submitter.submit(0) for _ in range(10)]
    # A message that the dead gateway held comes back after the time that its connection is given.
    submitter.wait_for(*first, *second, timeout=150)
    platform.await_healthy()
