"""The history of a job type: list revisions, compare two, and roll back."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ConfigDict, Field
from sqlalchemy.orm import Session

from coinrequest.api import cursors, problems
from coinrequest.api.authentication import RequestSession, User
from coinrequest.api.bodies import Document
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
from coinrequest.generator import lifecycle
from coinrequest.jobs.submission_body import read_body
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.comparison import unified_diff
from coinrequest.jobtypes.document import dump_yaml
from coinrequest.jobtypes.registry import Revision
from coinrequest.whole_numbers import WholeNumbers

router = APIRouter(prefix="/v1/job-types/{name}", tags=["Job types"])

_LARGEST = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=_LARGEST, description="The revision's number")]


class Rollback(WholeNumbers):
    """The revision to roll back to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: int = Field(ge=1, le=_LARGEST, strict=True, description="A revision of this type", examples=[41])


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
    target = read_body(document, Rollback).revision
    revision = lifecycle.rollback(session, name, target, author=user.get_name(), readable=readable_by(user))
    set_etag(response, revision)
    return current_detail(session, root, user, revision)


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
    return RevisionList(
        revisions=[revision_summary(root, revision) for revision in shown],
        next_cursor=cursors.encode(str(shown[-1].number)) if len(found) > limit else None,
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _LARGEST):
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
    number: Number,
    session: RequestSession,
    root: Root,
    request: Request,
    response: Response,
) -> Any:
    """One revision with its definition, which is null if the revision deleted the job type.

    With `Accept: application/yaml` the definition alone, as for the job type; 404 if the revision deleted it.
    """
    revision = _existing(session, name, number)
    if wants_yaml(request):
        if revision.deleted:
            raise lifecycle.RevisionUnknown(f"Revision {number} deleted {name!r}, so it has no definition")
        return as_yaml(session, user, revision)
    set_etag(response, revision)
    return revision_detail(root, revision, None if revision.deleted else visible_definition(user, revision))


@router.get("/diff", summary="Compare two revisions", responses=problems.documented(404, 422))
def compare(
    user: TypeReader,
    name: JobTypeName,
    session: RequestSession,
    from_: Annotated[int, Query(alias="from", ge=1, le=_LARGEST, description="The earlier revision")],
    to: Annotated[int | None, Query(ge=1, le=_LARGEST, description="The later revision; default: the newest")] = None,
) -> RevisionDiff:
    """The difference between two revisions, as a unified diff of their YAML text.

    It compares the texts that were sent, or generated ones unless both were sent as YAML.
    """
    earlier = _existing(session, name, from_)
    later = _existing(session, name, to) if to is not None else registry.latest(session, name)
    if later is None:
        raise lifecycle.JobTypeUnknown(f"No job type {name!r}")
    old, new = _yaml_lines(session, user, earlier, later)
    lines = unified_diff(
        old,
        new,
        f"{name} revision {earlier.number}",
        f"{name} revision {later.number}",
    )
    return RevisionDiff(from_revision=earlier.number, to_revision=later.number, diff="".join(lines))


def _yaml_lines(session: Session, user: User, *revisions: Revision) -> list[list[str]]:
    """Return the lines of each revision; none of a deletion."""
    texts = ["" if revision.deleted else visible_text(session, user, revision) for revision in revisions]
    if None in texts:
        texts = ["" if one.deleted else dump_yaml(visible_definition(user, one)) for one in revisions]
    # The last line of a text that was sent may have no end.
    return [[f"{line}\n" for line in (text or "").splitlines()] for text in texts]


def _existing(session: Session, name: str, number: int) -> Revision:
    found = registry.find(session, name, number)
    if found is None:
        raise lifecycle.RevisionUnknown(f"{name!r} has no revision {number}")
    return found
