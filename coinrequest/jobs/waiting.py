"""What a job waits for while nothing of it runs, in words."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy.orm import Session

from coinrequest.airflow import endings, helper_tasks, waits
from coinrequest.airflow.celery_pool import Agent
from coinrequest.airflow.waits import RunWait, TaskWait
from coinrequest.jobs.failures import task_text
from coinrequest.jobs.job import Job, WaitingFor

Kind = Literal[
    "job_type", "paused", "run_after", "scheduler", "max_jobs", "broker", "queue", "agent", "pool", "retry", "task"
]


@dataclass(frozen=True)
class Agents:
    """What is known about the agents.

    Attributes:
        found: those that replied; None if that is not known, or if the installation has none.
        problem: why the broker cannot be reached; None if it can.
    """

    found: Collection[Agent] | None = None
    problem: str | None = None


def with_waiting(session: Session, job: Job, agents: Callable[[], Agents]) -> Job:
    """Return the job with what it waits for; unchanged if it has ended or one of its tasks runs.

    Args:
        agents: returns what is known about the agents, at once; only called if a task waits for one.
    """
    if job.done or (job.progress is not None and job.progress.running):
        return job
    run = waits.run_wait(session, job.job_type, job.run_id)
    if run is None:
        return job
    return replace(job, waiting_for=_of_run(session, job, run) or _of_task(session, job, run, agents))


def _of_run(session: Session, job: Job, run: RunWait) -> WaitingFor | None:
    """Return what the run itself waits for; None: nothing, as far as is known."""
    if run.stale:
        return _wait("job_type", f"its job type {job.job_type!r}, which is out of use: replace it with PUT")
    if run.state == "queued" and run.later:
        return _wait("run_after", f"its earliest start, {_time(run.run_after)}")
    silent, seen = waits.silent_scheduler(session)
    if silent:
        last = f"the last one was seen at {_time(seen)}" if seen else "none has ever been seen"
        return _wait("scheduler", f"a scheduler: none is running ({last})")
    if run.state == "queued" and run.paused:
        return _wait("paused", _PAUSED.format(job.job_type))
    if run.state == "queued" and run.limit is not None and run.running >= run.limit:
        before = f"; {_count(run.ahead, 'job')} of the type {_are(run.ahead)} ahead of it" if run.ahead else ""
        return _wait(
            "max_jobs",
            f"other jobs of its type: {run.running} {_are(run.running)} running, and at most {run.limit} may run "
            f"at once (concurrency.max_jobs){before}",
        )
    return _wait("scheduler", "the scheduler, which starts it next") if run.state == "queued" else None


_PAUSED = "its job type, which is paused: POST /jobs/v1/job-types/{}/resume"


def _of_task(session: Session, job: Job, run: RunWait, agents: Callable[[], Agents]) -> WaitingFor | None:
    """Return what the next task waits for; None if one runs."""
    task = waits.task_wait(session, job.job_type, job.run_id)
    if task is None or task.state in ("running", "restarting"):
        return None
    shown = helper_tasks.shown_task(task.task)
    if task.state == "queued":
        return replace(_of_queued(session, task, agents), task=shown)
    if run.paused:
        return _wait("paused", _PAUSED.format(job.job_type), shown)
    if task.state == "up_for_retry":
        return _of_retry(session, job) or _wait("retry", f"the next attempt of its task {shown!r}", shown)
    if task.state == "scheduled":
        return replace(_of_scheduled(session, task), task=shown)
    if task.state is None:
        return _wait("scheduler", "the scheduler, which starts its next task", shown)
    return _wait("task", f"its task {shown!r}, which is {task.state} in Airflow", shown)


def _of_queued(session: Session, task: TaskWait, agents: Callable[[], Agents]) -> WaitingFor:
    if not task.waited:
        return _wait("agent", f"an agent of the queue {task.queue!r}, which takes it next")
    known = agents()
    if known.problem is not None:
        return _wait("broker", f"the broker of the agents: {known.problem}")
    if known.found is None:
        return _wait("agent", f"an agent of the queue {task.queue!r}")
    serving = [agent for agent in known.found if task.queue in agent.queues]
    if not serving:
        return _wait(
            "queue",
            f"an agent of the queue {task.queue!r}, which none serves; "
            f"an administrator starts one with --queues {task.queue}",
        )
    if all(agent.trouble for agent in serving):
        return _wait("agent", f"the agents of the queue {task.queue!r}, which take no tasks: {serving[0].trouble}")
    slots, load = sum(agent.concurrency for agent in serving), waits.queue_load(session, task)
    ahead = f"; {_count(load.ahead, 'task')} {_are(load.ahead)} ahead of it" if load.ahead else ""
    busy = f"{load.running} of {slots} slots of the agents of the queue {task.queue!r} are taken{ahead}"
    if load.running < slots:
        # A type alone may not take them all.
        busy += "; some stay free for other job types (COINREQUEST_TYPE_SHARE)"
    return _wait("agent", f"a free slot of an agent: {busy}")


def _of_scheduled(session: Session, task: TaskWait) -> WaitingFor:
    load = waits.pool_load(session, task.pool)
    if load.slots is None:
        return _wait("pool", f"the pool {task.pool!r}, which does not exist; create it under Admin, Pools")
    if 0 <= load.slots <= load.taken:
        return _wait("pool", f"a free slot of the pool {task.pool!r}: {load.taken} of {load.slots} are taken")
    return _wait("scheduler", "the scheduler, which starts its next task")


def _of_retry(session: Session, job: Job) -> WaitingFor | None:
    """Return the next attempt of the task that failed first; None if none is to be tried again any more."""
    run = (job.job_type, job.run_id)
    failed = endings.failed_tasks(session, [run], "up_for_retry").get(run)
    if failed is None:
        return None
    at = waits.next_attempt(session, *run, failed.helper or failed.task, failed.map_index)
    when = f" at {_time(at)}" if at else ""
    attempt = f"attempt {failed.attempt + 1} of {failed.attempts} of its task {failed.task!r}{when}"
    return _wait("retry", f"{attempt}, because attempt {failed.attempt} {task_text(failed)}", failed.task)


def _wait(kind: Kind, message: str, task: str | None = None) -> WaitingFor:
    return WaitingFor(kind, message, task)


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _count(number: int, thing: str) -> str:
    more = "more than " if number >= waits.MOST else ""
    return f"{more}{number} {thing}{'' if number == 1 else 's'}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
