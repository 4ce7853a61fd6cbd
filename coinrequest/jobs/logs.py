"""Logs of jobs: of a given task, item and attempt, or by default of the most interesting one."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from coinrequest.airflow import runs, task_logs
from coinrequest.airflow.runs import TaskState
from coinrequest.airflow.task_logs import LogUnknown
from coinrequest.jobs.job import Job

_LISTED = 20
_NEVER = datetime.min.replace(tzinfo=UTC)


def open_log(
    session: Session, job: Job, *, task: str | None = None, map_index: int | None = None, attempt: int | None = None
) -> Iterator[str]:
    """Return the lines of a log. They are read lazily, and need the session no more.

    Args:
        task: the task; None: the one that failed first, or else the one that started last.
        map_index: the item of a mapped task; None: likewise.
        attempt: the attempt; None: the last.

    Raises:
        LogUnknown: there is no such log; the message names those that exist.
    """
    tasks = runs.task_states(session, [job.id]).get(job.id, [])
    chosen = choose(tasks, task, map_index)
    if attempt is not None and attempt > chosen.attempt:
        raise LogUnknown(f"Task {chosen.task!r} has no attempt {attempt}; it has 1 to {chosen.attempt}")
    return task_logs.read_log(session, job.job_type, job.run_id, chosen, attempt or chosen.attempt)


def choose(tasks: Collection[TaskState], task: str | None = None, map_index: int | None = None) -> TaskState:
    """Return the task, or its item, whose log is to be read.

    Raises:
        LogUnknown: there is no such task or item, or it has not started.
    """
    wanted = [state for state in tasks if task in (None, state.task)]
    if not wanted:
        names = list(dict.fromkeys(state.task for state in tasks))
        raise LogUnknown(f"The job has no task {task!r}; it has {_listed(names)}" if names else "The job has no tasks")
    if map_index is not None:
        indexes = sorted(state.map_index for state in wanted if state.map_index is not None)
        wanted = [state for state in wanted if state.map_index == map_index]
        if not wanted:
            have = f"it has {indexes[0]} to {indexes[-1]}" if indexes else "it is not mapped"
            raise LogUnknown(f"{_named(task)} has no map_index {map_index}, which counts from 0; {have}")
    started = [state for state in wanted if state.attempt > 0]
    if not started:
        names = list(dict.fromkeys(state.task for state in tasks))
        raise LogUnknown(f"{_named(task)} has not started, so there is no log; the job has the tasks {_listed(names)}")
    failed = [state for state in started if state.state == "failed"]
    if failed:
        return min(failed, key=lambda state: state.ended_at or _NEVER)
    return max(started, key=lambda state: state.started_at or _NEVER)


def _named(task: str | None) -> str:
    return "The job" if task is None else f"Task {task!r}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
