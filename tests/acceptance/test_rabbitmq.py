"""The channel over RabbitMQ, with three agents, and a broker that restarts under load."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from kombu.exceptions import OperationalError
from support.own_stack import OwnStack
from support.platform import Platform
from support.rabbitmq import RabbitMQ, rabbitmq
from support.user_interface import user_interface
from support.waiting import eventually

from coinrequest.stack.options import Options

pytestmark = pytest.mark.faults

AGENTS = ("agent-1", "agent-2", "agent-3")
MESSAGES = 500
RESTARTS = 3


@dataclass(frozen=True)
class Installation:
    """A stack, and the broker of its channel."""

    platform: Platform
    broker: RabbitMQ


@pytest.fixture(scope="module")
def installation(own_stack: OwnStack) -> Iterator[Installation]:
    with rabbitmq() as broker:
        # The broker changes by the environment alone.
        options = Options(agents=len(AGENTS), concurrency=2, variables={"COINREQUEST_CHANNEL_URL": broker.url})
        with own_stack(options) as platform:
            yield Installation(platform, broker)


def test_twenty_jobs_over_three_agents(installation: Installation) -> None:
    with user_interface(installation.broker.url) as submitter:
        jobs = [submitter.submit(1) for _ in range(20)]
        results = submitter.wait_for(*jobs, timeout=120)
        submitter.listen(1)
        assert sorted(result["job_id"] for result in results) == sorted(jobs)
    logs = {agent: installation.platform.stack.layout.log(agent).read_text() for agent in AGENTS}
    used = {agent for agent, log in logs.items() for job in jobs if job in log}
    assert len(used) > 1, "one agent did everything"


def test_the_shorter_job_answers_first(installation: Installation) -> None:
    with user_interface(installation.broker.url) as submitter:
        long, short = submitter.submit(5), submitter.submit(1)
        assert [result["job_id"] for result in submitter.wait_for(long, short)] == [short, long]


class Restarts:
    """Stops and starts the broker a few times while messages come."""

    def __init__(self, broker: RabbitMQ) -> None:
        self._broker = broker
        self._thread = threading.Thread(target=self._run)
        self.up = threading.Event()
        self.up.set()

    def __enter__(self) -> "Restarts":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _run(self) -> None:
        for _ in range(RESTARTS):
            time.sleep(3)  # the time that the broker works in between
            self.up.clear()
            self._broker.stop()
            time.sleep(2)  # the time that it is away
            self._broker.start()
            self.up.set()


def _publish(installation: Installation, ids: list[str], restarts: Restarts) -> int:
    """Publish every message until the broker has confirmed it; return how often one had to be repeated."""
    waiting, repeats = list(reversed(ids)), 0
    while waiting:
        restarts.up.wait(60)
        try:
            with user_interface(installation.broker.url) as submitter:
                while waiting:
                    submitter.submit(0, job_id=waiting[-1])
                    waiting.pop()
                    time.sleep(0.02)  # so that the restarts come in between
        except (OSError, OperationalError):
            repeats += 1
    return repeats


# The client of a broker that went away leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_500_messages_while_the_broker_restarts_are_500_jobs_and_500_results(installation: Installation) -> None:
    platform, broker = installation.platform, installation.broker
    ids = [str(uuid.uuid4()) for _ in range(MESSAGES)]
    inbox = f"inbox-{ids[0]}"
    with user_interface(broker.url, inbox):
        pass  # from now on the broker keeps every result
    started = time.monotonic()
    with Restarts(broker) as restarts:
        repeats = _publish(installation, ids, restarts)
        published = time.monotonic() - started
    eventually(
        lambda: _count(platform, ids) == MESSAGES, timeout=400, interval=1, what=f"{MESSAGES} jobs that are done"
    )
    with user_interface(broker.url, inbox) as listener:
        listener.wait_for(*ids, timeout=120)
        listener.listen(3)  # one more would come now
        results = listener.results
    assert _rows(platform, "SELECT count(*) FROM coinrequest_job WHERE id::text = ANY(:ids)", ids) == MESSAGES
    assert _rows(platform, "SELECT count(*) FROM dag_run WHERE run_id = ANY(:ids)", ids) == MESSAGES
    counted = Counter(result["job_id"] for result in results)
    assert set(counted) == set(ids)
    assert {result["state"] for result in results} == {"success"}
    twice = sum(count - 1 for count in counted.values())
    print(
        f"\n500 messages, {RESTARTS} restarts of RabbitMQ: published in {published:.0f} s with {repeats} reconnections,"
        f" done after {time.monotonic() - started:.0f} s, {twice} results twice"
    )
    assert twice == 0, "a result came twice"


def _count(platform: Platform, ids: list[str]) -> int:
    return _rows(platform, "SELECT count(*) FROM coinrequest_job WHERE id::text = ANY(:ids) AND state = 'success'", ids)


def _rows(platform: Platform, statement: str, ids: list[str]) -> int:
    (row,) = platform.sql(statement, ids=ids)
    return int(row[0])
