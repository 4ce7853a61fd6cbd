"""Responses about actions, job types, revisions and health."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from coinrequest import settings
from coinrequest.airflow.schedule_memory import Dropped
from coinrequest.generator.followers import Awaited
from coinrequest.jobs.callback import without_secrets
from coinrequest.jobtypes.definition import Definition
from coinrequest.jobtypes.registry import Change, Revision

Health = Literal["healthy", "degraded"]
_DEFAULT_OWNER = Definition.model_fields["owner"].default


class Answer(BaseModel):
    """The base of all responses."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class ActionFailure(Answer):
    """An error that an action can raise."""

    name: str = Field(examples=["HttpRequestFailed"])
    summary: str = Field(description="One line")


class ActionSummary(Answer):
    """An action in the catalogue."""

    name: str = Field(examples=["url.test"])
    summary: str = Field(description="One line")
    available: bool = Field(description="Whether job types can use it here")
    unavailable: str | None = Field(description="Why not, and the remedy for an administrator")
    failures: list[ActionFailure] = Field(description="The errors that it can raise")


class ActionList(Answer):
    """All installed actions."""

    actions: list[ActionSummary]


class ActionDetail(ActionSummary):
    """An action with its inputs and its result."""

    inputs: dict[str, Any] = Field(description="JSON Schema of the inputs")
    result: dict[str, Any] = Field(description="JSON Schema of the result")


class JobTypeLinks(Answer):
    """Links of a job type."""

    self: str
    jobs: str
    revisions: str


class JobTypeSummary(Answer):
    """A job type in a list."""

    name: str = Field(examples=["btc-report"])
    description: str
    revision: int = Field(description="The current revision", examples=[42])
    paused: bool = Field(description="Whether it is paused, and so starts no jobs, and no further tasks of its jobs")
    schedule: dict[str, Any] | None = Field(description="As in the definition; null if it only runs on request")
    owner: str = Field(examples=["data"])
    tags: list[str]
    labels: dict[str, str] = Field(description="Those of its jobs")
    links: JobTypeLinks


class ListWarning(Answer):
    """Why a list is empty, perhaps: a filter names what there is not."""

    field: str = Field(examples=["type"])
    message: str


class JobTypeList(Answer):
    """One page of job types, ordered by name."""

    job_types: list[JobTypeSummary]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page")
    warnings: list[ListWarning] = Field(description="Filters of an empty list that name what there is not")


class DefinitionWarning(Answer):
    """A possible mistake in a definition that is accepted nevertheless."""

    field: str = Field(examples=["tasks[0].queue"])
    message: str


class AwaitedType(Answer):
    """A job type that another one, which runs after it, waits for."""

    job_type: str
    deleted: bool = Field(description="Whether it has to be registered again first")


class DroppedTime(Answer):
    """A time of a schedule for which no job was started."""

    due: datetime
    reason: str = Field(
        description="`overlap`: a scheduled job had not ended. `paused`: the type was paused. `late`: no scheduler "
        "took it within five minutes",
        examples=["overlap"],
    )


class JobTypeDetail(Answer):
    """A job type, with its definition as it was registered."""

    name: str = Field(examples=["btc-report"])
    revision: int = Field(examples=[42])
    author: str = Field(description="Who created the revision", examples=["ada"])
    created_at: datetime = Field(description="When the revision was created")
    paused: bool
    dag_url: str = Field(description="The job type's DAG in the Airflow UI")
    links: JobTypeLinks
    last_dropped: DroppedTime | None = Field(description="The last time of its schedule that was dropped")
    waits_for: list[AwaitedType] = Field(
        description="With `after`: the types that must succeed before the next job starts, without those that have "
        "succeeded since the last one"
    )
    definition: dict[str, Any] = Field(description="The document, unchanged")
    warnings: list[DefinitionWarning] = Field(description="Possible mistakes; only in responses to a definition")


class Edge(Answer):
    """An edge of the graph of tasks."""

    source: str
    target: str


class Preview(Answer):
    """What a registration would store."""

    definition: dict[str, Any] = Field(description="The document, unchanged")
    edges: list[Edge] = Field(description="The graph of its tasks")
    next_run_times: list[datetime] = Field(description="The next five times of its schedule")
    warnings: list[DefinitionWarning] = Field(description="Possible mistakes")


class RevisionLinks(Answer):
    """Links of a revision."""

    self: str
    job_type: str


class RevisionSummary(Answer):
    """One change of a job type."""

    number: int = Field(description="From one increasing sequence for all job types", examples=[42])
    version: int = Field(description="Counted within the job type: 1 is its first revision", examples=[3])
    change: Change = Field(description="`announce` if only another type began to run `after` this one")
    author: str
    created_at: datetime
    links: RevisionLinks


class RevisionDetail(RevisionSummary):
    """One change of a job type, with its definition."""

    name: str
    definition: dict[str, Any] | None = Field(description="The document, unchanged; null if the type was deleted")


class RevisionList(Answer):
    """One page of revisions, newest first."""

    revisions: list[RevisionSummary]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page")


class RevisionDiff(Answer):
    """The difference between two revisions."""

    from_version: int
    to_version: int
    from_revision: int
    to_revision: int
    diff: str = Field(description="A unified diff of the YAML text; empty if nothing changed")


class Component(Answer):
    """One part of the installation."""

    status: Literal["healthy", "unhealthy"]
    detail: str | None = None


class HealthReport(Answer):
    """The state of the installation."""

    status: Health = Field(description="`degraded` if a component is unhealthy")
    components: dict[str, Component] | None = Field(description="null if the user is not signed in")


def job_type_links(root: str, name: str) -> JobTypeLinks:
    """Return the links of a job type; `root` is the path at which the API is mounted."""
    address = f"{root}/v1/job-types/{name}"
    return JobTypeLinks(self=address, jobs=f"{address}/jobs", revisions=f"{address}/revisions")


def without_tokens(document: dict[str, Any]) -> dict[str, Any]:
    """Return a definition with `?…` in place of the queries of its webhooks, which may hold tokens."""
    notify = document.get("notify")
    if not isinstance(notify, list):
        return document
    shown = [
        {**entry, "webhook": without_secrets(entry["webhook"])}
        if isinstance(entry, dict) and isinstance(entry.get("webhook"), str)
        else entry
        for entry in notify
    ]
    return {**document, "notify": shown}


def job_type_detail(
    root: str,
    revision: Revision,
    definition: dict[str, Any],
    *,
    paused: bool,
    awaited: Sequence[Awaited] = (),
    dropped: Dropped | None = None,
    warnings: Sequence[DefinitionWarning] = (),
) -> JobTypeDetail:
    """Return a job type in full, with its definition as the user may see it."""
    return JobTypeDetail(
        name=revision.name,
        revision=revision.number,
        author=revision.author,
        created_at=revision.created_at,
        paused=paused,
        dag_url=f"{settings.base_url()}/dags/{revision.name}",
        links=job_type_links(root, revision.name),
        last_dropped=None if dropped is None else DroppedTime(due=dropped.due, reason=dropped.reason),
        waits_for=[AwaitedType(job_type=one.job_type, deleted=one.deleted) for one in awaited],
        definition=definition,
        warnings=list(warnings),
    )


def job_type_summary(root: str, revision: Revision, *, paused: bool) -> JobTypeSummary:
    """Return a job type as in a list. A damaged one has a description that says so, and does not hide the others."""
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
            owner=content.get("owner", _DEFAULT_OWNER),
            tags=list(content.get("tags", ())),
            labels=dict(content.get("labels", {})),
        )
    except (ValueError, TypeError):
        text = "The definition cannot be read; replace it, or delete the job type"
        return JobTypeSummary(**shown, description=text, schedule=None, owner="", tags=[], labels={})


def revision_summary(root: str, revision: Revision, version: int) -> RevisionSummary:
    """Return a revision as in a list."""
    return RevisionSummary(**_revision_fields(root, revision, version))


def revision_detail(root: str, revision: Revision, version: int, definition: dict[str, Any] | None) -> RevisionDetail:
    """Return a revision in full, with its definition as the user may see it."""
    return RevisionDetail(
        **_revision_fields(root, revision, version),
        name=revision.name,
        definition=definition,
    )


def _revision_fields(root: str, revision: Revision, version: int) -> dict[str, Any]:
    address = f"{root}/v1/job-types/{revision.name}"
    return {
        "number": revision.number,
        "version": version,
        # Somebody may have edited the row; only its existence is certain then.
        "change": revision.change if revision.change in get_args(Change) else "update",
        "author": revision.author,
        "created_at": revision.created_at,
        "links": RevisionLinks(self=f"{address}/revisions/{revision.number}", job_type=address),
    }
