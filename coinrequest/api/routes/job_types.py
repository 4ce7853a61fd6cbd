"""Job types: register, read, list, replace, delete, pause and resume."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from coinrequest.airflow import dag_tables, schedule_memory
from coinrequest.airflow.api_server.rights import CHANGE, READ
from coinrequest.api import cursors, list_filters, problems
from coinrequest.api.authentication import RequestSession, User
from coinrequest.api.bodies import Definition
from coinrequest.api.definition_warnings import DRY_RUN_TIMEOUT, REGISTRATION_TIMEOUT, definition_warnings
from coinrequest.api.models import (
    DefinitionWarning,
    Edge,
    JobTypeDetail,
    JobTypeList,
    Preview,
    job_type_detail,
    job_type_summary,
    without_tokens,
)
from coinrequest.api.openapi import DEFINITION_BODY, ETAG, LOCATION, YAML
from coinrequest.api.parameters import Cursor, JobTypeName, Limit, Owners, Root, Tags, expected_revision
from coinrequest.api.rights import Registrar, TypeNames, TypeReader, TypeRegistrar
from coinrequest.generator import followers, lifecycle
from coinrequest.generator.followers import Readable
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.document import YAML_TYPES, dump_yaml
from coinrequest.jobtypes.registry import Revision

router = APIRouter(prefix="/v1/job-types", tags=["Job types"])


def readable_by(user: User) -> Readable:
    """Return the check of whether the user may read a job type that a definition refers to."""
    return lambda name: READ.held(user, name)


def visible_definition(user: User, revision: Revision) -> dict[str, Any]:
    """Return the definition of a revision; without the webhooks' tokens if the user may not change the job type."""
    content: dict[str, Any] = revision.content()
    return content if CHANGE.held(user, revision.name) else without_tokens(content)


def visible_text(session: Session, user: User, revision: Revision) -> str | None:
    """Return the YAML text of a revision as it was sent.

    None: there is none, or the user may not see the tokens in URLs, and the text shows a token or has a comment with a
    URL that the definition does not show.
    """
    text = registry.text_of(session, revision)
    if text is None or CHANGE.held(user, revision.name):
        return text
    shown = visible_definition(user, revision)
    hidden = shown != revision.content() or not _urls(text) <= _urls(dump_yaml(shown))
    return None if hidden else text


def _urls(text: str) -> set[str]:
    """Return the URLs of a text; any part of one may be a token."""
    return {word.strip("#,;'\"()[]{}<>") for word in text.split() if "://" in word}


def as_yaml(session: Session, user: User, revision: Revision) -> Response:
    """Return the definition of a revision alone, in YAML."""
    text = visible_text(session, user, revision) or dump_yaml(visible_definition(user, revision))
    response = Response(text, media_type=YAML_TYPES[0])
    set_etag(response, revision)
    return response


def wants_yaml(request: Request) -> bool:
    """Return whether a request accepts YAML, and does not name JSON before it, as generated clients do."""
    accepted = [entry.partition(";")[0].strip() for entry in request.headers.get("accept", "").lower().split(",")]
    known = (entry for entry in accepted if entry == "application/json" or entry in YAML_TYPES)
    return next(known, None) in YAML_TYPES


def current_detail(
    session: Session, root: str, user: User, revision: Revision, warnings: Sequence[DefinitionWarning] = ()
) -> JobTypeDetail:
    """Return the job type whose current revision is `revision`."""
    paused = revision.name in dag_tables.paused_ids(session, [revision.name])
    return job_type_detail(
        root,
        revision,
        visible_definition(user, revision),
        paused=paused,
        dropped=schedule_memory.last_dropped(session, revision.name),
        awaited=followers.awaited(session, revision),
        warnings=warnings,
    )


def set_etag(response: Response, revision: Revision) -> None:
    """Set the entity tag of the response to that of a revision; the definition is there as JSON and as YAML."""
    response.headers["ETag"] = f'"{revision.number}"'
    response.headers["Vary"] = "Accept"


@router.post(
    "",
    status_code=201,
    summary="Register a job type",
    response_model=JobTypeDetail,
    openapi_extra=DEFINITION_BODY,
    responses={
        200: {"model": Preview, "description": "With `dry_run=true`: what a registration would store"},
        201: {"description": "Registered and runnable", "headers": {**ETAG, **LOCATION}},
        **problems.documented(409, 413, 415, 422),
    },
)
def register(
    user: Registrar,
    sent: Definition,
    session: RequestSession,
    root: Root,
    response: Response,
    dry_run: Annotated[bool, Query(description="Check the definition without storing it")] = False,
) -> Any:
    """Check a definition, store it, and make it a runnable DAG before the response is sent.

    422 names every field that is wrong; nothing is stored then. The text of YAML is kept, with its comments.
    """
    document = sent.document
    if isinstance(name := document.get("name"), str):
        CHANGE.require(user, name)
    if dry_run:
        preview = lifecycle.preview(session, document, readable=readable_by(user))
        result = Preview(
            definition=document,
            edges=[Edge(source=source, target=target) for source, target in preview.edges],
            next_run_times=list(preview.next_run_times),
            warnings=[
                *_taken_name(session, preview.definition.name),
                *definition_warnings(user, document, DRY_RUN_TIMEOUT),
            ],
        )
        return JSONResponse(result.model_dump(mode="json"), 200)
    # Before any row is locked.
    warnings = definition_warnings(user, document, REGISTRATION_TIMEOUT)
    revision = lifecycle.register(session, document, author=user.get_name(), text=sent.text, readable=readable_by(user))
    detail = current_detail(session, root, user, revision, warnings)
    response.headers["Location"] = detail.links.self
    set_etag(response, revision)
    return detail


def _taken_name(session: Session, name: str) -> list[DefinitionWarning]:
    """Return a warning if a registration would be refused with 409."""
    found = registry.existing(session, [name]).get(name)
    if found is not None:
        remedy = f"replace it with PUT /jobs/v1/job-types/{name}"
        return [DefinitionWarning(field="name", message=f"{name!r} exists, so POST will be a 409; {remedy}")]
    if dag_tables.is_foreign(session, name):
        message = f"{name!r} is a DAG of the dags folder, so POST will be a 409; choose another name"
        return [DefinitionWarning(field="name", message=message)]
    return []


@router.get("", summary="List the job types", responses=problems.documented(422))
def list_job_types(
    visible: TypeNames,
    session: RequestSession,
    root: Root,
    owner: Owners = [],  # noqa: B006 - FastAPI copies it, and the other
    tag: Tags = [],  # noqa: B006
    limit: Limit = 50,
    cursor: Cursor = None,
) -> JobTypeList:
    """The job types that the user may read, ordered by name."""
    after = cursors.decode(cursor, 1)[0] if cursor else ""
    names = list_filters.types_among(session, visible, (), owner, tag)
    found = registry.live(session, after=after, limit=limit + 1, names=names)
    shown = found[:limit]
    paused = dag_tables.paused_ids(session, [revision.name for revision in shown])
    return JobTypeList(
        job_types=[job_type_summary(root, revision, paused=revision.name in paused) for revision in shown],
        next_cursor=cursors.encode(shown[-1].name) if len(found) > limit else None,
        warnings=[] if found or cursor else list_filters.warnings(session, visible, owners=owner, tags=tag),
    )


@router.get(
    "/{name}",
    summary="Read a job type",
    response_model=JobTypeDetail,
    responses={200: {"headers": ETAG, "content": YAML}, **problems.documented(404, 422)},
)
def read_job_type(
    user: TypeReader, name: JobTypeName, session: RequestSession, root: Root, request: Request, response: Response
) -> Any:
    """The job type with its current definition. With `Accept: application/yaml` the definition alone, ready for `PUT`.

    YAML is the text that was sent, or generated if that was JSON. A user who may not change the type sees `?…` in place
    of the query of a webhook's URL, and then always a generated text.
    """
    revision = lifecycle.current_revision(session, name)
    if wants_yaml(request):
        return as_yaml(session, user, revision)
    set_etag(response, revision)
    return current_detail(session, root, user, revision)


@router.put(
    "/{name}",
    summary="Replace or create a job type",
    response_model=JobTypeDetail,
    openapi_extra=DEFINITION_BODY,
    responses={
        200: {"description": "Replaced, or unchanged", "headers": ETAG},
        201: {"model": JobTypeDetail, "description": "Created", "headers": {**ETAG, **LOCATION}},
        **problems.documented(404, 409, 412, 413, 415, 422),
    },
)
def replace_job_type(
    user: TypeRegistrar,
    name: JobTypeName,
    sent: Definition,
    session: RequestSession,
    root: Root,
    response: Response,
    if_match: Annotated[
        str | None, Header(description="The `ETag` of the revision to replace; 412 if it is not current")
    ] = None,
) -> Any:
    """Running jobs keep the revision that they started with.

    An unchanged document creates no new revision, unless it is YAML whose text has changed, such as a comment.
    """
    if if_match == "*" and name not in registry.existing(session, [name]):
        # RFC 9110, section 13.1.1: it matches any revision, but there must be one.
        raise lifecycle.RevisionChanged(f"{name!r} does not exist; leave out If-Match to create it")
    warnings = definition_warnings(user, sent.document, REGISTRATION_TIMEOUT)
    revision, created = lifecycle.replace_or_create(
        session,
        name,
        sent.document,
        author=user.get_name(),
        text=sent.text,
        readable=readable_by(user),
        expected=expected_revision(if_match),
    )
    detail = current_detail(session, root, user, revision, warnings)
    set_etag(response, revision)
    if created:
        response.status_code = 201
        response.headers["Location"] = detail.links.self
    return detail


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a job type",
    responses={204: {"description": "Deleted; its history is kept"}, **problems.documented(404, 409, 422)},
)
def delete_job_type(
    user: TypeRegistrar,
    name: JobTypeName,
    session: RequestSession,
    force: Annotated[bool, Query(description="Delete it even if other job types run after it")] = False,
) -> None:
    """Delete a job type at once.

    409 while jobs are queued or running: wait for them, or cancel them. 409 also if other types run after it: with
    `force=true`, these wait until it is registered again.
    """
    lifecycle.delete(session, name, author=user.get_name(), force=force, readable=readable_by(user))


@router.post("/{name}/pause", summary="Pause a job type", responses=problems.documented(404, 422))
def pause_job_type(user: TypeRegistrar, name: JobTypeName, session: RequestSession, root: Root) -> JobTypeDetail:
    """Stop a job type from starting jobs, by schedule or on request.

    Tasks that run are finished. Jobs that are queued, and the next tasks of running ones, wait until it is resumed.
    """
    revision = lifecycle.set_paused(session, name, paused=True, author=user.get_name())
    return current_detail(session, root, user, revision)


@router.post("/{name}/resume", summary="Resume a job type", responses=problems.documented(404, 422))
def resume_job_type(user: TypeRegistrar, name: JobTypeName, session: RequestSession, root: Root) -> JobTypeDetail:
    """Let a paused type start jobs again, and go on with those that wait."""
    revision = lifecycle.set_paused(session, name, paused=False, author=user.get_name())
    return current_detail(session, root, user, revision)
