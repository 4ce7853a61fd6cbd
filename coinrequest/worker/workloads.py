"""Lets an agent run tasks of DAGs and nothing else that a message may ask for (Airflow 3.3.2, Celery provider 3.26.0).

Airflow's messages to agents also know `ExecuteCallback`, which calls any function that can be imported, with any
arguments and without asking the web server: whoever can write to the broker could run code on every agent. Nothing here
uses it. A task is different: the web server checks its token before a line of it runs.

`[celery] extra_celery_config` names this module in Celery's `imports`; `tests/integration/airflow/test_workload.py`
fails when Airflow's task of Celery changes.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from airflow.providers.celery.executors import celery_executor_utils as provider

from coinrequest.airflow.workload import read_workload
from coinrequest.worker import disk_space, task_log


class WorkloadRefused(Exception):
    """The message asks for something else than a task."""


def only_tasks(run: Callable[[str], None]) -> Callable[[str], None]:
    """Return `run`, as Celery calls it with a workload's JSON text, for tasks alone.

    Raises (what is returned):
        celery.exceptions.Reject: this agent cannot write on its disk; the message goes to whoever takes it next.
        WorkloadRefused: the text is of another kind.
        ValueError: it is no JSON.
    """

    def guarded(input: str) -> None:
        workload = json.loads(input)
        kind = workload.get("type") if isinstance(workload, dict) else None
        if kind != "ExecuteTask":
            raise WorkloadRefused(f"agents run tasks alone, not {str(kind)[:100]!r}")
        # Taken before the agent closed its queues. Nothing of the task has begun.
        reason = disk_space.trouble(disk_space.folders())
        if reason is not None:
            raise _given_back(reason)
        task_log.supervising(read_workload([input]))
        try:
            run(input)
        except task_log.LogUnwritable as error:
            raise _given_back(str(error)) from error

    return guarded


def _given_back(reason: str) -> Any:
    from celery.exceptions import Reject

    # Where no other agent takes it, it comes back at once.
    time.sleep(disk_space.EVERY)
    return Reject(reason, requeue=True)


provider.execute_workload.run = only_tasks(provider.execute_workload.run)
