"""What the service answers about everything but jobs (`job_models`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from coinrequest import settings
from coinrequest.jobs.callback import without_secrets
from coinrequest.jobtypes.registry import Change, Revision

Health = Literal["healthy", "degraded"]


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class ActionFailure(Answer):
    """A way in which an action can fail."""

    name: str = Field(examples=["HttpRequestFailed"])
    summary: str = Field(description="One line")


class ActionSummary(Answer):
    """An action in the catalogue."""

    name: str = Field(examples=["url.test"])
    summary: str = Field(description="One line")
    available: bool = Field(description="Whether job types can use it here")
    unavailable: str | None = Field(description="Why not, and what an administrator does about it")
    failures: list[ActionFailure] = Field(description="How it can fail")


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


class DefinitionWarning(Answer):
    """Something about a definition that is accepted, and may not be what was meant."""

    field: str = Field(examples=["tasks[0].queue"])
    message: str


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
    warnings: list[DefinitionWarning] = Field(description="What may not be as meant; only when a definition was sent")


class Edge(Answer):
    """One arrow of the graph."""

    source: str
    target: str


class Preview(Answer):
    """What a registration would store."""

    definition: dict[str, Any] = Field(description="The document, unchanged")
    edges: list[Edge] = Field(description="The graph of its tasks")
    next_run_times: list[datetime] = Field(description="The next five times of its schedule")
    warnings: list[DefinitionWarning] = Field(description="What may not be as meant")


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


def without_tokens(document: dict[str, Any]) -> dict[str, Any]:
    """Return a definition as those see it who may not change it: of webhooks' queries, which may hold tokens, `?…`."""
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
    warnings: Sequence[DefinitionWarning] = (),
) -> JobTypeDetail:
    """Return the answer about a job type, with its definition as the user may see it."""
    return JobTypeDetail(
        name=revision.name,
        revision=revision.number,
        author=revision.author,
        created_at=revision.created_at,
        paused=paused,
        dag_url=f"{settings.base_url()}/dags/{revision.name}",
        links=job_type_links(root, revision.name),
        definition=definition,
        warnings=list(warnings),
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


def revision_detail(root: str, revision: Revision, definition: dict[str, Any] | None) -> RevisionDetail:
    """Return the answer about a revision, with its definition as the user may see it."""
    return RevisionDetail(
        **_revision_fields(root, revision),
        name=revision.name,
        definition=definition,
    )


def _revision_fields(root: str, revision: Revision) -> dict[str, Any]:
    address = f"{root}/v1/job-types/{revision.name}"
    return {
        "number": revision.number,
        # Of a change that somebody edited to none, its being there is all that is known.
        "change": revision.change if revision.change in get_args(Change) else "update",
        "author": revision.author,
        "created_at": revision.created_at,
        "links": RevisionLinks(self=f"{address}/revisions/{revision.number}", job_type=address),
    }
