"""What the service answers."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from coinrequest import settings
from coinrequest.jobs.job import Job, State
from coinrequest.jobtypes.registry import Change, Revision

Health = Literal["healthy", "degraded"]


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class ActionSummary(Answer):
    """An action in the catalogue."""

    name: str = Field(examples=["url.test"])
    summary: str = Field(description="One line")


class ActionList(Answer):
    """All installed actions."""

    actions: list[ActionSummary]


class ActionDetail(ActionSummary):
    """An action with its inputs and its result."""

    inputs: dict[str, Any] = Field(description="JSON Schema of the inputs")
    result: dict[str, Any] = Field(description="JSON Schema of the result")


class JobTypeLinks(Answer):
    """Where to go from a job type."""

    self: str
    jobs: str
    revisions: str


class JobTypeSummary(Answer):
    """A job type in a list."""

    name: str = Field(examples=["btc-report"])
    description: str
    revision: int = Field(description="The current revision", examples=[42])
    paused: bool = Field(description="Whether it starts no jobs")
    schedule: dict[str, Any] | None = Field(description="As in the definition; null: on request only")
    tags: list[str]
    links: JobTypeLinks


class JobTypeList(Answer):
    """One page of job types, by name."""

    job_types: list[JobTypeSummary]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last")


class JobTypeDetail(Answer):
    """A job type: its definition as it was registered, and what the platform knows about it."""

    name: str = Field(examples=["btc-report"])
    revision: int = Field(examples=[42])
    author: str = Field(description="Who made the revision", examples=["ada"])
    created_at: datetime = Field(description="When the revision was made")
    paused: bool
    dag_url: str = Field(description="The job type's DAG in the Airflow UI")
    links: JobTypeLinks
    definition: dict[str, Any] = Field(description="The document, unchanged")


class Edge(Answer):
    """One arrow of the graph."""

    source: str
    target: str


class Preview(Answer):
    """What a registration would store."""

    definition: dict[str, Any] = Field(description="The document, unchanged")
    edges: list[Edge] = Field(description="The graph of its tasks")
    next_run_times: list[datetime] = Field(description="The next five times of its schedule")


class JobLinks(Answer):
    """Where to go from a job."""

    self: str
    job_type: str


class JobFailure(Answer):
    """Why a job failed."""

    task: str | None = Field(description="The first task that failed; null: none did")
    map_index: int | None = Field(description="Which item of a mapped task")
    message: str
    log_url: str = Field(description="Where the log is, in the Airflow UI")


class JobSummary(Answer):
    """A job in a list."""

    id: UUID
    job_type: str = Field(examples=["btc-report"])
    revision: int = Field(description="The revision of the type that it runs")
    state: State = Field(description="`removed`: its run was deleted in Airflow")
    params: dict[str, Any] = Field(description="With the defaults filled in")
    submitted_by: str
    submitted_at: datetime
    run_after: datetime = Field(description="It does not start before")
    started_at: datetime | None
    ended_at: datetime | None
    dag_run_url: str = Field(description="The job's run in the Airflow UI")
    links: JobLinks


class JobDetail(JobSummary):
    """A job."""

    result: Any = Field(
        description="The output of the definition's `result` task once the job succeeded; a list where that "
        "task is mapped; null before"
    )
    error: JobFailure | None


class JobList(Answer):
    """One page of jobs, newest first."""

    jobs: list[JobSummary]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last")


class RevisionLinks(Answer):
    """Where to go from a revision."""

    self: str
    job_type: str


class RevisionSummary(Answer):
    """One change of a job type."""

    number: int = Field(description="From one growing sequence for all types", examples=[42])
    change: Change = Field(description="`announce`: another type began to wait for this one; nothing else changed")
    author: str
    created_at: datetime
    links: RevisionLinks


class RevisionDetail(RevisionSummary):
    """One change of a job type, with the definition that it made current."""

    name: str
    definition: dict[str, Any] | None = Field(description="The document, unchanged; null: the type was deleted")


class RevisionList(Answer):
    """One page of revisions, newest first."""

    revisions: list[RevisionSummary]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last")


class RevisionDiff(Answer):
    """What changed between two revisions."""

    from_revision: int
    to_revision: int
    diff: str = Field(description="A unified diff of the YAML text; empty where nothing changed")


class Component(Answer):
    """One part of the installation."""

    status: Literal["healthy", "unhealthy"]
    detail: str | None = None


class HealthReport(Answer):
    """The state of the installation."""

    status: Health = Field(description="`degraded`: a component is not healthy")
    components: dict[str, Component] | None = Field(description="null for those who are not signed in")


def job_type_links(root: str, name: str) -> JobTypeLinks:
    """Return the addresses around a job type; `root` is where the service is mounted."""
    address = f"{root}/v1/job-types/{name}"
    return JobTypeLinks(self=address, jobs=f"{address}/jobs", revisions=f"{address}/revisions")


def job_type_detail(root: str, revision: Revision, *, paused: bool) -> JobTypeDetail:
    """Return the answer about a job type."""
    return JobTypeDetail(
        name=revision.name,
        revision=revision.number,
        author=revision.author,
        created_at=revision.created_at,
        paused=paused,
        dag_url=f"{settings.base_url()}/dags/{revision.name}",
        links=job_type_links(root, revision.name),
        definition=revision.content(),
    )


def job_type_summary(root: str, revision: Revision, *, paused: bool) -> JobTypeSummary:
    """Return a job type's line in a list; one whose row was damaged says so and does not hide the others."""
    shown: dict[str, Any] = {
        "name": revision.name,
        "revision": revision.number,
        "paused": paused,
        "links": job_type_links(root, revision.name),
    }
    try:
        content: dict[str, Any] = revision.content()
        return JobTypeSummary(
            **shown,
            description=content.get("description", ""),
            schedule=content.get("schedule"),
            tags=list(content.get("tags", ())),
        )
    except (ValueError, TypeError):
        text = "The definition cannot be read; replace it, or delete the job type"
        return JobTypeSummary(**shown, description=text, schedule=None, tags=[])


def revision_summary(root: str, revision: Revision) -> RevisionSummary:
    """Return a revision's line in a list."""
    return RevisionSummary(**_revision_fields(root, revision))


def revision_detail(root: str, revision: Revision) -> RevisionDetail:
    """Return the answer about a revision."""
    return RevisionDetail(
        **_revision_fields(root, revision),
        name=revision.name,
        definition=None if revision.deleted else revision.content(),
    )


def _revision_fields(root: str, revision: Revision) -> dict[str, Any]:
    address = f"{root}/v1/job-types/{revision.name}"
    return {
        "number": revision.number,
        "change": revision.change,
        "author": revision.author,
        "created_at": revision.created_at,
        "links": RevisionLinks(self=f"{address}/revisions/{revision.number}", job_type=address),
    }


def job_summary(root: str, job: Job) -> JobSummary:
    """Return a job's line in a list."""
    return JobSummary(**_job_fields(root, job))


def job_detail(root: str, job: Job) -> JobDetail:
    """Return the answer about a job."""
    run_url = _run_url(job)
    error = job.error
    failure = error and JobFailure(
        task=error.task,
        map_index=error.map_index,
        message=error.message,
        log_url=f"{run_url}/tasks/{error.task}" + (f"/mapped/{error.map_index}" if error.map_index is not None else "")
        if error.task
        else run_url,
    )
    return JobDetail(**_job_fields(root, job), result=job.result, error=failure)


def _run_url(job: Job) -> str:
    return f"{settings.base_url()}/dags/{job.job_type}/runs/{job.id}"


def _job_fields(root: str, job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "job_type": job.job_type,
        "revision": job.revision,
        "state": job.state,
        "params": dict(job.params),
        "submitted_by": job.submitted_by,
        "submitted_at": job.submitted_at,
        "run_after": job.run_after or job.submitted_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "dag_run_url": _run_url(job),
        "links": JobLinks(self=f"{root}/v1/jobs/{job.id}", job_type=f"{root}/v1/job-types/{job.job_type}"),
    }
