"""The history of a job type: list revisions, compare two, and roll back."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ConfigDict, Field, Strict
from sqlalchemy.orm import Session

from coinrequest.api import cursors, problems
from coinrequest.api.authentication import RequestSession, User
from coinrequest.api.bodies import Document
from coinrequest.api.definition_warnings import REGISTRATION_TIMEOUT
from coinrequest.api.definition_warnings import definition_warnings as warnings_of
from coinrequest.api.models import (
    JobTypeDetail,
    RevisionDetail,
    RevisionDiff,
    RevisionList,
    revision_detail,
    revision_summary,
)
from coinrequest.api.openapi import ETAG, YAML, json_body
from coinrequest.api.parameters import Cursor, JobTypeName, Limit, Root
from coinrequest.api.revision_numbers import LARGEST, Number, RevisionNumber, find, find_pair
from coinrequest.api.rights import TypeReader, TypeRegistrar
from coinrequest.api.routes.job_types import (
    as_yaml,
    current_detail,
    readable_by,
    set_etag,
    visible_definition,
    visible_text,
    wants_yaml,
)
from coinrequest.errors import FieldError
from coinrequest.generator import lifecycle
from coinrequest.jobs.submission_body import read_body
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.comparison import unified_diff
from coinrequest.jobtypes.document import dump_yaml
from coinrequest.jobtypes.errors import ParamsInvalid
from coinrequest.jobtypes.registry import Revision
from coinrequest.whole_numbers import WholeNumbers

router = APIRouter(prefix="/v1/job-types/{name}", tags=["Job types"])


class Rollback(WholeNumbers):
    """The revision to roll back to, by its number or by its version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: Annotated[Number, Strict()] | None = Field(default=None, description="Its number", examples=[41])
    version: Annotated[Number, Strict()] | None = Field(
        default=None, description="Its version, which counts within the type", examples=[2]
    )


@router.post(
    "/rollback",
    summary="Roll back to a revision",
    openapi_extra=json_body(Rollback, {"revision": 41}),
    responses={200: {"headers": ETAG}, **problems.documented(404, 413, 415, 422)},
)
def roll_back(
    user: TypeRegistrar,
    name: JobTypeName,
    document: Document,
    session: RequestSession,
    root: Root,
    response: Response,
) -> JobTypeDetail:
    """Make the definition of an earlier revision current again, as a new revision."""
    target = _target(document)
    number = find(session, name, str(target.revision or f"v{target.version}")).number
    found = registry.find(session, name, number)
    # Before any row is locked.
    warnings = [] if found is None or found.deleted else warnings_of(user, found.content(), REGISTRATION_TIMEOUT)
    revision = lifecycle.rollback(session, name, number, author=user.get_name(), readable=readable_by(user))
    set_etag(response, revision)
    return current_detail(session, root, user, revision, warnings)


def _target(document: dict[str, Any]) -> Rollback:
    named = [field for field in Rollback.model_fields if document.get(field) is not None]
    wrong = [FieldError("revision", "give either `revision`, such as 41, or `version`, such as 2")]
    try:
        target = read_body(document, Rollback)
    except ParamsInvalid as error:
        raise ParamsInvalid([*error.errors, *([] if named else wrong)]) from error
    if len(named) != 1:
        raise ParamsInvalid(wrong)
    return target


@router.get("/revisions", summary="List the revisions", responses=problems.documented(404, 422))
def list_revisions(
    user: TypeReader,
    name: JobTypeName,
    session: RequestSession,
    root: Root,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RevisionList:
    """All changes of a job type, newest first. Those of a deleted type are kept."""
    before = _number(cursors.decode(cursor, 1)[0]) if cursor else None
    found = registry.history(session, name, before=before, limit=limit + 1)
    if not found and before is None:
        raise lifecycle.JobTypeUnknown(f"No job type {name!r}")
    shown = found[:limit]
    last = registry.version_of(session, shown[0]) if shown else 0
    return RevisionList(
        revisions=[revision_summary(root, revision, last - index) for index, revision in enumerate(shown)],
        next_cursor=cursors.encode(str(shown[-1].number)) if len(found) > limit else None,
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST):
        raise cursors.CursorInvalid
    return int(text)


@router.get(
    "/revisions/{number}",
    summary="Read a revision",
    response_model=RevisionDetail,
    responses={200: {"headers": ETAG, "content": YAML}, **problems.documented(404, 422)},
)
def read_revision(
    user: TypeReader,
    name: JobTypeName,
    number: Annotated[RevisionNumber, Path(description="Its number, or its version as `v2`")],
    session: RequestSession,
    root: Root,
    request: Request,
    response: Response,
) -> Any:
    """One revision with its definition, which is null if the revision deleted the job type.

    With `Accept: application/yaml` the definition alone, as for the job type; 404 if the revision deleted it.
    """
    revision = find(session, name, number)
    if wants_yaml(request):
        if revision.deleted:
            raise lifecycle.RevisionUnknown(f"Revision {revision.number} deleted {name!r}, so it has no definition")
        return as_yaml(session, user, revision)
    set_etag(response, revision)
    definition = None if revision.deleted else visible_definition(user, revision)
    return revision_detail(root, revision, registry.version_of(session, revision), definition)


@router.get("/diff", summary="Compare two revisions", responses=problems.documented(404, 422))
def compare(
    user: TypeReader,
    name: JobTypeName,
    session: RequestSession,
    from_: Annotated[
        RevisionNumber | None, Query(alias="from", description="The earlier version; default: the one before `to`")
    ] = None,
    to: Annotated[RevisionNumber | None, Query(description="The later version; default: the newest")] = None,
) -> RevisionDiff:
    """The difference between two revisions, as a unified diff of their YAML text.

    Versions count within the type; larger numbers are those of revisions. It compares the texts that were sent, or
    generated ones unless both were sent as YAML.
    """
    earlier, later = find_pair(session, name, from_, to)
    versions = [registry.version_of(session, revision) for revision in (earlier, later)]
    old, new = _yaml_lines(session, user, earlier, later)
    lines = unified_diff(
        old,
        new,
        f"{name} version {versions[0]} (revision {earlier.number})",
        f"{name} version {versions[1]} (revision {later.number})",
    )
    return RevisionDiff(
        from_version=versions[0],
        to_version=versions[1],
        from_revision=earlier.number,
        to_revision=later.number,
        diff="".join(lines),
    )


def _yaml_lines(session: Session, user: User, *revisions: Revision) -> list[list[str]]:
    """Return the lines of each revision; none of a deletion."""
    texts = ["" if revision.deleted else visible_text(session, user, revision) for revision in revisions]
    if None in texts:
        texts = ["" if one.deleted else dump_yaml(visible_definition(user, one)) for one in revisions]
    # The last line of a text that was sent may have no end.
    return [[f"{line}\n" for line in (text or "").splitlines()] for text in texts]
