"""Why a job failed, in words."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy.orm import Session

from coinrequest.airflow import endings
from coinrequest.airflow.endings import CutShort, Run, RunEnding, TaskFailure
from coinrequest.durations import format_duration
from coinrequest.jobs.job import JobError


def job_errors(session: Session, timeouts: Mapping[Run, timedelta | None]) -> dict[Run, JobError]:
    """Return why runs failed: the first task that failed, the time limit, or the person who ended the run.

    However many runs there are, this takes two queries.

    Args:
        timeouts: of the job type of each run; None if it has none.
    """
    failed = endings.failed_tasks(session, timeouts) if timeouts else {}
    unclear = [run for run, timeout in timeouts.items() if timeout is not None or run not in failed]
    ended = endings.run_endings(session, unclear) if unclear else {}
    return {run: _job_error(failed.get(run), ended.get(run), timeout) for run, timeout in timeouts.items()}


def _job_error(failed: TaskFailure | None, ending: RunEnding | None, timeout: timedelta | None) -> JobError:
    late = _late(ending, timeout) if ending is not None else None
    if failed is not None:
        text = f"{place(failed.task, failed.map_index, failed.items)} {task_text(failed)}"
        text = f"{text}; and {late[0].lower()}{late[1:]}" if late else text
        return JobError(failed.task, failed.map_index, text, failed.helper)
    assert ending is not None  # noqa: S101 - for mypy
    return JobError(None, None, late or _run_text(ending))


def place(task: str, map_index: int | None, items: int) -> str:
    """Return the subject of a sentence about a task or an item of it; people count items from 1."""
    return f"Task {task!r}" + ("" if map_index is None else f" (item {map_index + 1} of {items})")


def task_text(failure: TaskFailure) -> str:
    """Return the rest of the sentence that begins with the task."""
    if failure.by is not None:
        return f"was set to failed by {failure.by!r} in Airflow"
    return f"failed: {failure.reason or _unreported(failure)}"


def _unreported(failure: TaskFailure) -> str:
    """Return why an attempt failed that could not tell it itself."""
    agent = f"the agent on {failure.host!r}" if failure.host else "the agent"
    info = endings.extra_info(failure.detail)
    if failure.event == endings.HEARTBEAT_TIMEOUT:
        return f"{agent} stopped answering: it was killed or frozen, or lost its network"
    if failure.event == endings.STUCK_IN_QUEUE:
        return (
            f"no agent of the queue {failure.queue!r} took it within Airflow's limit, [scheduler] task_queued_timeout"
        )
    if failure.event == endings.STATE_MISMATCH and failure.host:
        return f"its process on {agent} was killed, or ended without a report{f' ({info})' if info else ''}"
    if failure.event == endings.STATE_MISMATCH:
        return f"it ended before {agent} could start it{f' ({info})' if info else ''}"
    when = f"while it ran on {agent}" if failure.host else "before an agent started it"
    return f"it was ended from outside {when}, and Airflow's audit log names nobody"


def _late(ending: RunEnding, timeout: timedelta | None) -> str | None:
    """Return the sentence about a job that ran out of time; None if it did not."""
    if timeout is None or ending.took is None or ending.took < timeout or ending.cut_short is None or ending.by:
        return None
    return f"The job was not done within its timeout of {format_duration(timeout)}: {_cut_short(ending.cut_short)}"


def _cut_short(task: CutShort) -> str:
    subject = place(task.task, task.map_index, task.items)
    subject = f"{subject[0].lower()}{subject[1:]}"
    if task.reason:
        return f"{subject} was to be tried again, after it failed: {task.reason}"
    return f"{subject} was running" if task.started else f"{subject} had not started (queue {task.queue!r})"


def _run_text(ending: RunEnding) -> str:
    if ending.by is not None:
        return f"The job was set to failed by {ending.by!r} in Airflow"
    return (
        f"Airflow ended the job as failed although none of its tasks failed ({_counted(ending.states)}); "
        "it was not its time limit, and Airflow's audit log names nobody"
    )


def _counted(states: Mapping[str, int]) -> str:
    return ", ".join(f"{tasks} {state}" for state, tasks in states.items()) or "it has no tasks"
