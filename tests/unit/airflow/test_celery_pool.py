"""The agents, asked over a real Redis; each is a real Celery worker."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from support.redis_server import redis_server
from support.waiting import eventually

from coinrequest.airflow.celery_pool import Agent, AgentsUnreachable, CeleryPool
from coinrequest.airflow.executor.agent_watch import AgentWatch, Question, View

# A task that ends when its file is there.
_WORKER = """
import json, pathlib, time
from celery import Celery

app = Celery("worker", broker={broker!r})
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_prefetch_multiplier=1,
                task_acks_late=True)

def wait(text, until):
    while not pathlib.Path(until).exists():
        time.sleep(0.02)

for name in ("execute_workload", "something.else"):
    app.task(name=name)(wait)
"""


class Installation:
    """A broker and agents."""

    def __init__(self, socket: str, folder: Path) -> None:
        self.broker = f"redis+socket://{socket}"
        self.folder = folder
        self.done = folder / "done"
        self.application = Celery("asking", broker=self.broker, set_as_current=False)
        (folder / "worker_app.py").write_text(_WORKER.format(broker=self.broker))

    @contextmanager
    def agent(self, name: str, *, queues: str = "default") -> Iterator[subprocess.Popen[bytes]]:
        """Run an agent with two slots until the end of the block."""
        command = [sys.executable, "-m", "celery", "-A", "worker_app", "worker", "--pool", "threads"]
        command += ["--concurrency", "2", "--queues", queues, "--hostname", name, "--loglevel", "ERROR"]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, env=dict(os.environ))
        try:
            eventually(
                lambda: self.application.control.inspect([name], timeout=1).ping(), timeout=60, what=f"no {name}"
            )
            yield process
        finally:
            self.done.touch()
            process.terminate()
            process.wait(timeout=30)
            self.done.unlink(missing_ok=True)

    def send(self, text: Any, name: str = "execute_workload") -> None:
        """Send a task to the default queue."""
        self.application.send_task(name, args=(text, str(self.done)), queue="default")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with redis_server() as socket:
        made = Installation(socket, tmp_path)
        yield made
        made.application.close()


def workload(map_index: int = -1) -> str:
    task = {"dag_id": "integer", "run_id": "r1", "task_id": "wait", "try_number": 2, "map_index": map_index}
    return json.dumps({"token": "secret", "type": "ExecuteTask", "ti": {**task, "priority_weight": 1}})


def busy(pool: CeleryPool, count: int) -> list[Agent]:
    """The agents, once they run so many tasks."""

    def look() -> list[Agent]:
        agents = pool.agents()
        assert sum(len(agent.running) for agent in agents) == count
        return agents

    return eventually(look)


def test_an_agent_says_what_it_is_and_what_it_runs(installation: Installation) -> None:
    pool = CeleryPool(installation.application)
    with installation.agent("one@host-a", queues="default,mail"):
        (idle,) = pool.agents()
        assert (idle.name, idle.host, idle.queues, idle.concurrency) == ("one@host-a", "host-a", ("default", "mail"), 2)
        assert (idle.processed, idle.running) == (0, ())
        assert timedelta(0) <= datetime.now(UTC) - idle.started_at < timedelta(minutes=2)
        installation.send(workload(map_index=3))
        (agent,) = busy(pool, 1)
        (task,) = agent.running
        assert task.workload is not None
        assert task.workload.run_id == "r1"
        assert (task.workload.map_index, task.workload.attempt) == (3, 2)
        assert task.since is not None
        assert timedelta(0) <= datetime.now(UTC) - task.since < timedelta(minutes=1)
        assert agent.processed == 1
        assert "secret" not in repr(agent)


def test_a_message_of_another_kind_is_shown_as_that(installation: Installation) -> None:
    pool = CeleryPool(installation.application)
    with installation.agent("one@host-a"):
        installation.send("no json")
        installation.send("{}", name="something.else")
        (agent,) = busy(pool, 2)
        assert [task.workload for task in agent.running] == [None, None]


def test_an_agent_that_is_known_is_not_waited_for_longer_than_it_takes(installation: Installation) -> None:
    pool = CeleryPool(installation.application, time_limit=5)
    with installation.agent("one@host-a"):
        assert len(pool.agents()) == 1
        started = time.monotonic()
        assert len(pool.agents()) == 1
        assert time.monotonic() - started < 4


def test_agents_come_and_go(installation: Installation) -> None:
    with installation.agent("one@host-a"):
        assert [agent.name for agent in CeleryPool(installation.application).agents()] == ["one@host-a"]
        with installation.agent("two@host-b") as second:
            pool = CeleryPool(installation.application)
            assert [agent.name for agent in pool.agents()] == ["one@host-a", "two@host-b"]
            second.kill()
            second.wait()
            assert [agent.name for agent in pool.agents()] == ["one@host-a"]


def test_no_agents_is_an_answer(installation: Installation) -> None:
    assert CeleryPool(installation.application, time_limit=0.2).agents() == []


def test_a_broker_that_is_away_is_said_at_once(tmp_path: Path) -> None:
    with Celery("asking", broker=f"redis+socket://{tmp_path}/nothing", set_as_current=False) as application:
        started = time.monotonic()
        with pytest.raises(AgentsUnreachable, match="broker does not respond"):
            CeleryPool(application).agents()
        assert time.monotonic() - started < 1.5


def test_a_broker_that_went_away_is_noticed(tmp_path: Path) -> None:
    with redis_server() as socket:
        application = Celery("asking", broker=f"redis+socket://{socket}", set_as_current=False)
        pool = CeleryPool(application, time_limit=0.2)
        assert pool.agents() == []
    with pytest.raises(AgentsUnreachable):
        pool.agents()
    application.close()


def test_an_agent_that_answers_in_part_keeps_its_slots_and_loses_no_task(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under load the answer to one of the questions may come too late."""
    from celery.app.control import Inspect

    watch = AgentWatch(installation.application, CeleryPool(installation.application))

    def look() -> View:
        assert watch.start(Question({"some-task": "default"}))
        return eventually(watch.result, interval=0.01)

    with installation.agent("one@host-a"):
        assert look().slots == {"default": 2}
        for question in ("active_queues", "active", "reserved"):
            with monkeypatch.context() as late:
                late.setattr(Inspect, question, lambda self: None)
                assert CeleryPool(installation.application).agents() == []
                view = look()
            assert (view.slots, view.looked_for) == ({"default": 2}, frozenset())
        assert look().looked_for == {"some-task"}
