"""Airflow's scheduler in this process, a turn at a time, with the project's executor and a real agent."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.redis_server import redis_server
from support.waiting import eventually

# Takes tasks of the queue `default` with four slots, and never ends one.
_AGENT = """
import time
from celery import Celery

app = Celery("agent", broker={broker!r})
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_prefetch_multiplier=1,
                task_acks_late=True, broker_channel_error_retry={retry!r}, broker_transport_options={options!r})

@app.task(name="execute_workload")
def execute(text):
    time.sleep(3600)
"""


class Scheduling:
    """A scheduler with its executor.

    Attributes:
        executor: the project's executor.
        redis: a client of its broker.
        agent: the process of the agent, once it was started.
    """

    def __init__(self, socket: str, folder: Path) -> None:
        import redis

        self.redis = redis.Redis(unix_socket_path=socket)
        self._socket = socket
        self._folder = folder
        self.agent: subprocess.Popen[bytes] | None = None
        self.executor, self.runner = self.new_scheduler()

    def new_scheduler(self) -> tuple[Any, Any]:
        """Return an executor and a scheduler that have nothing to do yet."""
        from airflow.executors.executor_utils import ExecutorName
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
        from airflow.utils.session import create_session

        from coinrequest.airflow.executor.fair_executor import FairCeleryExecutor

        executor = FairCeleryExecutor()
        executor.name = ExecutorName(module_path="coinrequest.airflow.executor.fair_executor.FairCeleryExecutor")
        with create_session(scoped=False) as session:
            job = Job()
            job.job_type = "SchedulerJob"
            session.add(job)
            session.flush()
            session.expunge(job)
        runner = SchedulerJobRunner(job, executors=[executor])
        executor.job_id = job.id
        executor.start()
        return executor, runner

    def turn(self, executor: Any = None, runner: Any = None) -> None:
        """Do what the scheduler does in one turn of its loop, as far as it concerns tasks."""
        from airflow.utils.session import create_session

        executor, runner = executor or self.executor, runner or self.runner
        with create_session(scoped=False) as session:
            runner._do_scheduling(session)
            session.expunge_all()
        executor.heartbeat()
        with create_session(scoped=False) as session:
            runner._process_executor_events(executor=executor, session=session)

    def until(self, reached: Any, what: str, timeout: float = 20.0) -> None:
        """Turn until something is so."""

        def turned() -> bool:
            self.turn()
            return bool(reached())

        eventually(turned, timeout=timeout, what=what)

    def start_agent(self) -> None:
        """Start the agent; wait until the executor knows of it."""
        from airflow.configuration import conf

        options = conf.getsection("celery_broker_transport_options")
        retry = conf.getjson("celery", "extra_celery_config").get("broker_channel_error_retry", False)
        (self._folder / "fair_agent.py").write_text(
            _AGENT.format(broker=f"redis+socket://{self._socket}", options=options, retry=retry)
        )
        command = [sys.executable, "-m", "celery", "-A", "fair_agent", "worker", "--pool", "threads"]
        command += ["--concurrency", "4", "--queues", "default", "--hostname", "agent", "--loglevel", "ERROR"]
        with (self._folder / "agent.log").open("wb") as log:
            self.agent = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log, env=dict(os.environ))
        self.until(lambda: (self.executor._slots or {}).get("default") == 4, "the agent is known", timeout=60)

    def renew_agent(self) -> None:
        """Start the agent with nothing in the broker and nothing to do."""
        self.kill_agent()
        self.until(lambda: not self.executor.running, "nothing is under way")
        self.redis.flushall()
        self.start_agent()

    def pause_agent(self) -> None:
        """Let the agent take nothing more; it still counts as one for some looks."""
        assert self.agent is not None
        self.agent.send_signal(signal.SIGSTOP)

    def kill_agent(self) -> None:
        """End the agent as a crash of its machine does."""
        if self.agent is not None:
            self.agent.kill()
            self.agent.wait()

    def waiting(self, queue: str) -> int:
        """Return how many messages lie in a queue."""
        return sum(int(self.redis.llen(key)) for key in (queue, *(f"{queue}\x06\x16{step}" for step in (3, 6, 9))))

    def taken(self) -> int:
        """Return how many messages agents have taken."""
        return int(self.redis.hlen("celery:unacked"))

    def states(self, name: str) -> dict[str, int]:
        """Return how many tasks of a type are in each state."""
        from airflow.utils.session import create_session
        from sqlalchemy import text

        query = text("SELECT coalesce(state, 'none'), count(*) FROM task_instance WHERE dag_id = :name GROUP BY 1")
        with create_session(scoped=False) as session:
            return {row[0]: row[1] for row in session.execute(query, {"name": name})}


def _end_what_others_left() -> None:
    """End the jobs of other tests, and start none of their types: they would take the agent's slots."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session(scoped=False) as session:
        session.execute(text("UPDATE dag SET is_paused = true"))
        session.execute(text("UPDATE task_instance SET state = 'removed' WHERE coalesce(state, 'none') <> 'success'"))
        session.execute(text("UPDATE dag_run SET state = 'failed' WHERE state IN ('queued', 'running')"))


@contextmanager
def scheduling(folder: Path) -> Iterator[Scheduling]:
    """Run a broker, and give a scheduler over it and over the database of the API's tests."""
    from airflow.configuration import conf
    from airflow.providers.celery.executors import celery_executor_utils

    with redis_server() as socket, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CELERY__BROKER_URL", f"redis+socket://{socket}")
        patch.setenv("AIRFLOW__CELERY__RESULT_BACKEND", f"redis+socket://{socket}?virtual_host=1")
        _end_what_others_left()
        # Airflow keeps what it sends and asks with; an earlier one of this process has another broker.
        celery_executor_utils._get_celery_app_for_workload.cache_clear()
        patch.setattr(celery_executor_utils, "app", celery_executor_utils.create_celery_app(conf))
        made = Scheduling(socket, folder)
        try:
            yield made
        finally:
            made.kill_agent()
            made.redis.close()
