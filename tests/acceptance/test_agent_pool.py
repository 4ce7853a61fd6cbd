"""Jobs are shared between the agents, and each is done once."""

from dataclasses import dataclass
from datetime import datetime

import pytest
from support.documents import job_type, new_name, params, wait_task
from support.platform import AGENTS, SLOTS, Platform

JOBS = 20


@dataclass(frozen=True)
class Share:
    """One task that was done."""

    job: str
    agent: str
    tries: int
    process: int
    start: datetime
    end: datetime


@pytest.fixture(scope="module")
def shares(platform: Platform) -> list[Share]:
    """Submit 20 jobs of one second at once; return which agent ran each."""
    name = new_name("shared")
    platform.register(job_type(name, wait_task(value="{{ params.value }}"), params=params(value={"type": "integer"})))
    jobs = platform.submit_all(name, [{"value": 1}] * JOBS)
    for job in jobs:
        platform.succeeded(job, timeout=90)
    logs = {agent: platform.stack.layout.log(agent).read_text() for agent in AGENTS}
    rows = platform.sql(
        "SELECT run_id, external_executor_id, try_number, pid, start_date, end_date"
        " FROM task_instance WHERE dag_id = :name",
        name=name,
    )
    return [
        Share(
            job=row.run_id,
            # Celery logs the id of each message that an agent takes; a message that two take is there twice.
            agent=" ".join(
                agent
                for agent, log in logs.items()
                for line in log.splitlines()
                if f"[{row.external_executor_id}] received" in line
            ),
            tries=row.try_number,
            process=row.pid,
            start=row.start_date,
            end=row.end_date,
        )
        for row in rows
    ]


def test_the_shorter_of_two_jobs_is_done_first_and_results_name_their_job(platform: Platform) -> None:
    long = platform.submit("integer", {"value": 5})
    short = platform.submit("integer", {"value": 1})
    first = platform.succeeded(short)
    assert platform.job(long)["state"] in ("queued", "running")
    second = platform.succeeded(long)
    assert (first["id"], first["result"]) == (short, {"value": 1, "message": "job complete"})
    assert (second["id"], second["result"]) == (long, {"value": 5, "message": "job complete"})
    assert datetime.fromisoformat(first["ended_at"]) < datetime.fromisoformat(second["ended_at"])
    started, ended = (datetime.fromisoformat(second[key]) for key in ("started_at", "ended_at"))
    assert (ended - started).total_seconds() >= 5


def test_every_job_is_done_exactly_once(shares: list[Share]) -> None:
    assert len({share.job for share in shares}) == len(shares) == JOBS
    assert {share.tries for share in shares} == {1}
    assert {share.agent for share in shares} <= set(AGENTS), "a message was taken by none, or more than once"


def test_more_than_one_agent_works(shares: list[Share]) -> None:
    assert {share.agent for share in shares} == set(AGENTS)
    assert len({share.process for share in shares}) > 1


def test_no_agent_does_more_than_its_concurrency(shares: list[Share]) -> None:
    for agent in AGENTS:
        own = [share for share in shares if share.agent == agent]
        busiest = max(sum(share.start <= other.start < share.end for share in own) for other in own)
        assert busiest <= SLOTS, f"{agent} did {busiest} tasks at once"
    at_once = max(sum(share.start <= other.start < share.end for share in shares) for other in shares)
    assert at_once > SLOTS, "the agents did not work at the same time"
