"""Responses about jobs."""

from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from pydantic import Field

from coinrequest import settings
from coinrequest.airflow.runs import TaskState
from coinrequest.airflow.task_progress import Progress, RunningTask
from coinrequest.api.models import Answer, ListWarning
from coinrequest.jobs.callback import Outcome
from coinrequest.jobs.job import Job, Origin, State


class JobLinks(Answer):
    """Links of a job."""

    self: str
    job_type: str
    events: str = Field(description="Its server-sent events")
    log: str
    notices: str
    cancel: str
    retry: str


class JobFailure(Answer):
    """Why a job failed."""

    task: str | None = Field(description="The first task that failed; null if none did")
    map_index: int | None = Field(description="Which item of a mapped task")
    message: str
    log_url: str = Field(description="The log in the Airflow UI")


class TaskProgress(Answer):
    """A running task and its last progress report."""

    task: str = Field(examples=["prices"])
    map_index: int | None = Field(description="Which item of a mapped task")
    done: int | float | None = Field(description="How much is done, in the action's own unit; null if not reported")
    total: int | float | None = Field(description="How much there is to do; null if not known")
    message: str | None = Field(description="The unit, or the current step; null if not reported")
    reported_at: datetime | None


class JobProgress(Answer):
    """The progress of a job."""

    tasks_done: int = Field(description="How many tasks have ended, in any state")
    tasks: int = Field(
        description="How many tasks there are; each item of a mapped task counts, once the items are known"
    )
    running: list[TaskProgress] = Field(
        description="The running tasks, at most 100, in the order in which they started"
    )


class JobWait(Answer):
    """What a job waits for while none of its tasks runs."""

    kind: str = Field(
        description="`run_after`, `paused`, `max_jobs`, `scheduler`, `queue`, `agent`, `broker`, `pool`, `retry`, "
        "`job_type` or `task`",
        examples=["queue"],
    )
    message: str = Field(description="The end of a sentence that begins with: It waits for")
    task: str | None = Field(description="The task that waits; null if it is the job itself")


class JobCallback(Answer):
    """The webhook that the submitter asked for. A secret that was submitted is never shown."""

    url: str = Field(description="Without its query, which may hold a token", examples=["https://example.org/hook?…"])
    on: list[Outcome]
    connection: str | None = Field(description="The Airflow connection whose password signs the notice")


class Cancellation(Answer):
    """Who cancelled a job, when and why."""

    by: str
    at: datetime
    reason: str | None


class JobSummary(Answer):
    """A job in a list."""

    id: UUID
    job_type: str = Field(examples=["btc-report"])
    revision: int = Field(description="The revision of the job type that it runs")
    state: State = Field(description="`removed` if its run was deleted in Airflow")
    origin: Origin = Field(description="How it was started; `after` if by the end of a job of another type")
    params: dict[str, Any] | None = Field(
        description="With the defaults filled in, or as given to Airflow; null if left out"
    )
    params_omitted: bool = Field(
        description="Whether `params` are left out because of their size: over 1 KiB in a list, over 1 MiB elsewhere"
    )
    priority: int | None = Field(
        description="The priority of its tasks, higher first; null if that of the definition applies"
    )
    labels: dict[str, str]
    callback: JobCallback | None
    submitted_by: str
    submitted_at: datetime
    run_after: datetime = Field(description="The earliest start")
    started_at: datetime | None
    ended_at: datetime | None
    cancelled: Cancellation | None
    dag_run_url: str = Field(description="The job's run in the Airflow UI")
    error: JobFailure | None = Field(description="Why it failed; in a list the first line, at most 300 characters")
    links: JobLinks


class JobDetail(JobSummary):
    """A job."""

    result: Any = Field(
        description="The output of the definition's `result` task, a list if that task is mapped; null until the job "
        "has succeeded"
    )
    progress: JobProgress | None = Field(description="Its progress; null if its run was deleted in Airflow")
    waiting_for: JobWait | None = Field(
        description="What it waits for; null once it has ended, and while one of its tasks runs"
    )


class JobList(Answer):
    """One page of jobs, newest first."""

    jobs: list[JobSummary]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page")
    warnings: list[ListWarning] = Field(description="Filters of an empty list that name what there is not")


class TaskChange(Answer):
    """A change of a task of a job."""

    id: str = Field(examples=["prices"])
    map_index: int | None = Field(description="Which item of a mapped task")
    state: str | None = Field(description="The task's state in Airflow; null if it has none yet")
    attempt: int
    started_at: datetime | None
    ended_at: datetime | None


class TestedUrl(Answer):
    """A finished URL test."""

    # The name suits the OpenAPI description; pytest must not collect it as a test.
    __test__ = False

    time: str = Field(description="When it finished, ISO 8601 with an offset", examples=["2030-01-31T08:00:00+00:00"])
    url: str = Field(description="As it was submitted")
    result: str = Field(description="The last status code, or the error's text", examples=["200"])


class UrlJobAccepted(Answer):
    """A submitted URL test."""

    job_id: UUID
    url: str = Field(description="As it was submitted")
    links: JobLinks


def job_links(root: str, job: Job) -> JobLinks:
    """Return the links of a job; `root` is the path at which the API is mounted."""
    address = f"{root}/v1/jobs/{job.id}"
    return JobLinks(
        self=address,
        job_type=f"{root}/v1/job-types/{job.job_type}",
        events=f"{address}/events",
        log=f"{address}/log",
        notices=f"{address}/notices",
        cancel=f"{address}/cancel",
        retry=f"{address}/retry",
    )


def job_summary(root: str, job: Job) -> JobSummary:
    """Return a job as in a list."""
    return JobSummary(**_job_fields(root, job))


def job_detail(root: str, job: Job) -> JobDetail:
    """Return a job in full."""
    wait = job.waiting_for
    return JobDetail(
        **_job_fields(root, job),
        result=job.result,
        progress=None if job.progress is None else job_progress(job.progress),
        waiting_for=wait and JobWait(kind=wait.kind, message=wait.message, task=wait.task),
    )


def job_progress(progress: Progress) -> JobProgress:
    """Return the progress of a job."""
    return JobProgress(
        tasks_done=progress.tasks_done, tasks=progress.tasks, running=[task_progress(task) for task in progress.running]
    )


def task_progress(task: RunningTask) -> TaskProgress:
    """Return the progress of a task."""
    report = task.report
    return TaskProgress(
        task=task.task,
        map_index=task.map_index,
        done=report and report.done,
        total=report and report.total,
        message=report and report.message,
        reported_at=report and report.reported_at,
    )


def task_change(task: TaskState) -> TaskChange:
    """Return the change of a task."""
    return TaskChange(
        id=task.task,
        map_index=task.map_index,
        state=task.state,
        attempt=task.attempt,
        started_at=task.started_at,
        ended_at=task.ended_at,
    )


def run_url(job: Job) -> str:
    """Return the URL of a job's run in the Airflow UI."""
    return f"{settings.base_url()}/dags/{job.job_type}/runs/{quote(job.run_id, safe='')}"


def _failure(job: Job) -> JobFailure | None:
    error = job.error
    if error is None:
        return None
    address = run_url(job)
    if error.task is not None:
        address += f"/tasks/{error.helper or error.task}" + (
            "" if error.map_index is None else f"/mapped/{error.map_index}"
        )
    return JobFailure(task=error.task, map_index=error.map_index, message=error.message, log_url=address)


def _job_fields(root: str, job: Job) -> dict[str, Any]:
    callback = job.callback
    return {
        "id": job.id,
        "job_type": job.job_type,
        "revision": job.revision,
        "state": job.state,
        "origin": job.origin,
        "params": None if job.params_omitted else dict(job.params),
        "params_omitted": job.params_omitted,
        "priority": job.priority,
        "labels": dict(job.labels),
        "callback": callback
        and JobCallback(url=callback.shown_url, on=list(callback.on), connection=callback.secret_connection),
        "submitted_by": job.submitted_by,
        "submitted_at": job.submitted_at,
        "run_after": job.run_after or job.submitted_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "cancelled": None
        if job.cancelled_at is None
        else Cancellation(by=job.cancelled_by or "", at=job.cancelled_at, reason=job.cancel_reason),
        "dag_run_url": run_url(job),
        "error": _failure(job),
        "links": job_links(root, job),
    }
