"""On a running stack: jobs for a queue without agents, and agents that die with tasks that they have taken."""

import signal
import time
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest
import redis
from support.documents import job_type, new_name, wait_task
from support.own_stack import OwnStack
from support.platform import Platform
from support.waiting import eventually

from coinrequest.stack.options import Options

pytestmark = pytest.mark.faults

AGENTS = ("agent-1", "agent-2")
# What an agent took and did not begin is done within so many seconds of its death.
WITHIN = 90


@pytest.fixture(scope="module")
def stack(own_stack: OwnStack) -> Iterator[Platform]:
    with own_stack(Options(agents=len(AGENTS), concurrency=4)) as running:
        yield running


@pytest.fixture
def broker(stack: Platform) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack.stack.environment("scheduler")["AIRFLOW__CELERY__BROKER_URL"]) as client:
        yield client


def test_jobs_for_a_queue_without_agents_do_not_block_others(stack: Platform, broker: redis.Redis) -> None:
    name = new_name("nobody")
    stack.register(job_type(name, wait_task(value=0, queue="nobody", for_each=list(range(600)))))
    jobs = [stack.submit(name) for _ in range(9)]
    query = "SELECT count(*) FROM task_instance WHERE dag_id = :name AND state = 'queued'"
    eventually(lambda: stack.sql(query, name=name)[0][0] >= 512, timeout=90, what="512 tasks wait")
    stack.run("integer", {"value": 0}, timeout=20)
    eventually(
        lambda: "for 'nobody'" in str(stack.health()["components"].get("queues", {}).get("detail")),
        timeout=30,
        what="health names the queue",
    )
    assert broker.llen("nobody") == 0
    began = time.monotonic()
    for job in jobs:
        stack.cancel(job)
    assert time.monotonic() - began < 20
    assert stack.sql(query, name=name)[0][0] == 0
    stack.run("integer", {"value": 0}, timeout=20)
    stack.await_healthy()


def test_tasks_taken_but_not_started_by_dead_agents_run_soon_and_once(stack: Platform, broker: redis.Redis) -> None:
    """Their pools are stopped first, so that no task that they take is started."""
    name = new_name("taken")
    path = f"/{name}/{{{{ params.number }}}}"
    task = {"id": "ask", "action": "http.request", "inputs": {"url": f"{stack.web.url}{path}"}}
    number = {"type": "integer"}
    stack.register(job_type(name, task, params={"type": "object", "properties": {"number": number}}))
    before = broker.hlen("celery:unacked")
    leaders = [psutil.Process(stack.process_ids()[agent] or 0) for agent in AGENTS]
    for leader in leaders:
        for child in leader.children(recursive=True):
            child.send_signal(signal.SIGSTOP)
    jobs = [stack.submit(name, {"number": number}) for number in range(20)]
    eventually(lambda: broker.hlen("celery:unacked") >= before + 6, timeout=30, what="six tasks are taken")
    died = time.monotonic()
    for leader in leaders:
        family = [leader, *leader.children(recursive=True)]
        for process in family:
            process.kill()
    for job in jobs:
        stack.succeeded(job, timeout=WITHIN - (time.monotonic() - died))
    took = time.monotonic() - died
    print(f"\n20 jobs, six of them taken by agents that died: done {took:.0f} s after")
    asked = Counter(path for path in stack.web.paths if path.startswith(f"/{name}/"))
    assert asked == {f"/{name}/{number}": 1 for number in range(20)}
    assert {row.try_number for row in stack.sql("SELECT try_number FROM task_instance WHERE dag_id = :n", n=name)} == {
        1
    }


def test_tasks_that_wait_behind_long_ones_are_not_sent_twice(stack: Platform) -> None:
    """They wait longer than the time after which a task that no agent has started counts as lost."""
    name = new_name("long")
    stack.register(job_type(name, wait_task(value=45, for_each=list(range(8)))))
    job = stack.submit(name)
    stack.succeeded(job, timeout=150)
    ids = [row[0] for row in stack.sql("SELECT external_executor_id FROM task_instance WHERE dag_id = :n", n=name)]
    logs = "\n".join(stack.stack.layout.log(agent).read_text() for agent in AGENTS)
    assert {id: logs.count(f"[{id}] received") for id in ids} == dict.fromkeys(ids, 1)
