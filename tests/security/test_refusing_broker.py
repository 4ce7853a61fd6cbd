"""A Redis that refuses writes, as with full memory, a full disk or after a failover: tasks and results wait."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
import redis
from starlette.testclient import TestClient
from support import api_environment as environment
from support.api_environment import Clients
from support.brokers import RedisBroker, publish, take_all
from support.running_consumer import Store, message, running_consumer
from support.scheduling import Scheduling
from support.waiting import always, eventually

pytestmark = pytest.mark.faults

TYPES = "/jobs/v1/job-types"


def fill(server: redis.Redis) -> None:
    """Let the server refuse commands that need memory."""
    server.config_set("maxmemory", 1)


def follow(server: redis.Redis) -> None:
    """Let the server refuse all writes, as a former leader does after a failover."""
    server.replicaof("127.0.0.1", 1)  # type: ignore[no-untyped-call]


def relent(server: redis.Redis) -> None:
    """Let the server accept everything again."""
    server.config_set("maxmemory", 0)
    server.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]


Refuse = Callable[[redis.Redis], None]
both_ways = pytest.mark.parametrize(("refuse", "words"), [(fill, "maxmemory"), (follow, "read only replica")])


@contextmanager
def refusing(server: redis.Redis, refuse: Refuse) -> Iterator[None]:
    refuse(server)
    try:
        yield
    finally:
        relent(server)


@pytest.fixture
def submit(op: TestClient, name: str) -> Iterator[Callable[..., str]]:
    """Submit a job with this many tasks, and cancel it when the test has ended."""
    jobs: list[str] = []

    def start(items: int) -> str:
        document = environment.definition(name)
        document["tasks"][0] |= {"for_each": list(range(items))}
        assert op.post(TYPES, json=document).status_code == 201
        jobs.append(op.post(f"{TYPES}/{name}/jobs", json={}).json()["id"])
        return jobs[-1]

    yield start
    for job in jobs:
        op.post(f"/jobs/v1/jobs/{job}/cancel", json={})


@both_ways
def test_tasks_wait_until_the_broker_accepts_them_and_are_sent_once(
    scheduler: Scheduling,
    submit: Callable[..., str],
    name: str,
    refuse: Refuse,
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    scheduler.renew_agent()
    scheduler.executor._warned = float("-inf")
    capfd.readouterr()
    with refusing(scheduler.redis, refuse):
        submit(3)
        scheduler.until(lambda: scheduler.states(name).get("queued") == 3, "three tasks are queued")
        for _ in range(10):
            scheduler.turn()
        assert scheduler.states(name) == {"queued": 3}
        assert (scheduler.waiting("default"), len(scheduler.executor.running)) == (0, 0)
    assert capfd.readouterr().out.count(words) == 1
    scheduler.until(lambda: scheduler.taken() == 3, "the agent has taken them", timeout=30)
    for _ in range(5):
        scheduler.turn()
    assert (scheduler.taken(), scheduler.waiting("default")) == (3, 0)
    assert len(scheduler.executor._sent) == 3


def test_an_error_that_the_task_causes_fails_it_with_the_reason(
    scheduler: Scheduling, submit: Callable[..., str], name: str, op: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.celery.executors.celery_executor_utils import _get_celery_app_for_workload

    # A way to write tasks that does not know how to write this one.
    task = _get_celery_app_for_workload(None).tasks["execute_workload"]
    monkeypatch.setitem(task._get_exec_options(), "serializer", "nothing-of-the-kind")
    scheduler.renew_agent()
    job = submit(1)
    scheduler.until(lambda: scheduler.states(name) == {"failed": 1}, "the task failed")
    scheduler.until(lambda: op.get(f"/jobs/v1/jobs/{job}").json()["state"] == "failed", "the job failed")
    assert "cannot be sent to an agent" in op.get(f"/jobs/v1/jobs/{job}").json()["error"]["message"]


def test_a_task_cancelled_meanwhile_is_removed_from_the_broker_afterwards(
    scheduler: Scheduling,
    submit: Callable[..., str],
    op: TestClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from coinrequest.airflow.executor import fair_executor

    for setting, seconds in (("QUERY_EVERY", 0.1), ("INSPECT_EVERY", 0.3), ("RESULT_WITHIN", 0.3)):
        monkeypatch.setattr(fair_executor, setting, seconds)
    scheduler.renew_agent()
    scheduler.pause_agent()
    try:
        job = submit(2)
        scheduler.until(lambda: scheduler.waiting("default") == 2, "two tasks are sent, and not taken")
        with refusing(scheduler.redis, follow):
            op.post(f"/jobs/v1/jobs/{job}/cancel", json={})
            scheduler.until(lambda: not scheduler.executor.running, "their slots are free")
            for _ in range(5):
                scheduler.turn()
            assert scheduler.waiting("default") == 2
        scheduler.until(lambda: scheduler.waiting("default") == 0, "their messages are gone")
    finally:
        scheduler.agent.send_signal(18)  # type: ignore[union-attr]


def health(client: TestClient) -> dict[str, Any]:
    return dict(client.get("/jobs/v1/health").json()["components"])


@both_ways
def test_health_reports_that_the_broker_refuses_writes(
    scheduler: Scheduling, op: TestClient, client_of: Clients, refuse: Refuse, words: str
) -> None:
    first = health(op)["broker"]
    assert first["status"] == "healthy", first
    with refusing(scheduler.redis, refuse):
        broker = health(op)["broker"]
        assert broker["status"] == "unhealthy"
        assert words in broker["detail"]
        assert words not in client_of(None).get("/jobs/v1/health").text
    eventually(lambda: health(op)["broker"]["status"] == "healthy", timeout=10)


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisBroker]:
    broker = RedisBroker(tmp_path_factory.mktemp("channel"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def server(channel: RedisBroker) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(channel.url) as client:
        client.flushall()
        yield client


@both_ways
def test_a_gateway_reports_that_its_broker_refuses_writes_and_resumes_afterwards(
    channel: RedisBroker, server: redis.Redis, refuse: Refuse, words: str
) -> None:
    store, before, after = Store(), uuid4(), uuid4()
    with running_consumer(channel.url, store, visibility=1) as status:
        publish(channel, message(before))
        eventually(lambda: store.stored == {before})
        with refusing(server, refuse):
            eventually(lambda: status.state()[0] == "disconnected", timeout=20)
            assert words in str(status.state()[1])
            commands = server.info("stats")["total_commands_processed"]
            always(lambda: status.state()[0] == "disconnected", seconds=1)
            assert server.info("stats")["total_commands_processed"] - commands < 200, "it asks without a pause"
        publish(channel, message(after))
        eventually(lambda: store.stored == {before, after}, timeout=20)
        eventually(lambda: status.state() == ("connected", None), timeout=20)


def test_a_gateway_that_starts_with_a_full_broker_empties_it(channel: RedisBroker, server: redis.Redis) -> None:
    with running_consumer(channel.url, Store()):
        eventually(lambda: server.exists("_kombu.binding.job-exchange"))
    ids, store = {uuid4() for _ in range(20)}, Store()
    publish(channel, *map(message, ids))
    with refusing(server, fill), running_consumer(channel.url, store) as status:
        eventually(lambda: store.stored == ids, timeout=10)
        eventually(lambda: server.llen("job") == 0)
        eventually(lambda: "maxmemory" in str(status.state()[1]), timeout=10)


@both_ways
def test_answers_that_cannot_be_sent_are_sent_afterwards(
    channel: RedisBroker, server: redis.Redis, refuse: Refuse, words: str
) -> None:
    with running_consumer(channel.url, Store()):
        eventually(lambda: server.exists("_kombu.binding.job-exchange"))
    publish(channel, "no JSON")
    with running_consumer(channel.url, Store(), visibility=1) as status:
        with refusing(server, refuse):
            eventually(lambda: words in str(status.state()[1]), timeout=10)
        dead = take_all(channel, "job-dead-letter", 1)
        take_all(channel, "result", 1)
    assert [letter.body for letter in dead] == [b"no JSON"]


@pytest.mark.parametrize("key", ["coinrequest:channel:unacked", "coinrequest:channel:unacked-index"])
def test_no_message_is_lost_if_the_gateways_keys_are_overwritten(
    channel: RedisBroker, server: redis.Redis, key: str
) -> None:
    job_id, store = uuid4(), Store()
    server.set(key, "x")
    publish(channel, message(job_id))
    with running_consumer(channel.url, store) as status:
        eventually(lambda: key in str(status.state()[1]), timeout=10)
        assert server.llen("job") == 1
        server.delete(key)
        eventually(lambda: store.stored == {job_id}, timeout=20)
