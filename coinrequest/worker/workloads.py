"""Lets an agent run tasks of DAGs, and no other workload (Airflow 3.3.2, Celery provider 3.26.0).

Airflow also has the workload `ExecuteCallback`, which calls any importable function with any arguments, without asking
the web server: anyone who can write to the broker could run code on every agent. Nothing here uses it. A task is
different: the web server checks its token before the task runs.

`[celery] extra_celery_config` names this module in Celery's `imports`; `tests/integration/airflow/test_workload.py`
fails when Airflow's task of Celery changes.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from airflow.providers.celery.executors import celery_executor_utils as provider

from coinrequest.airflow.workload import read_workload
from coinrequest.errors import CoinrequestError
from coinrequest.worker import disk_space, task_exit, task_log


class WorkloadRefused(CoinrequestError):
    """The message asks for a workload that is not a task."""


def only_tasks(run: Callable[[str], None]) -> Callable[[str], None]:
    """Wrap `run`, which Celery calls with the JSON text of a workload, to accept tasks alone.

    The returned function raises:
        celery.exceptions.Reject: this agent cannot write to its disk; the message goes back to the queue.
        WorkloadRefused: the workload is not a task.
        ValueError: the text is no JSON.
    """

    def guarded(input: str) -> None:
        workload = json.loads(input)
        kind = workload.get("type") if isinstance(workload, dict) else None
        if kind != "ExecuteTask":
            raise WorkloadRefused(f"agents run tasks only, not {str(kind)[:100]!r}")
        # The agent took it before it paused its queues. The task has not started.
        reason = disk_space.problem(disk_space.folders())
        if reason is not None:
            raise _requeue(reason)
        task_log.set_supervised(read_workload([input]))
        try:
            run(input)
        except task_log.LogUnwritable as error:
            raise _requeue(str(error)) from error

    return guarded


def _requeue(reason: str) -> Any:
    from celery.exceptions import Reject

    # If no other agent takes it, it comes back at once.
    time.sleep(disk_space.EVERY)
    return Reject(reason, requeue=True)


task_exit.install()
provider.execute_workload.run = only_tasks(provider.execute_workload.run)
