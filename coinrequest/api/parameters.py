"""Parameters that several routes share."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from coinrequest.errors import FieldError
from coinrequest.generator.lifecycle import JobTypeUnknown
from coinrequest.jobtypes.errors import DefinitionInvalid

Limit = Annotated[int, Query(ge=1, le=100, description="At most so many on a page")]
Cursor = Annotated[
    str | None, Query(max_length=2048, description="`next_cursor` of the page before; none: the first page")
]


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


# Where the service is mounted, for addresses in answers: /jobs, or behind a prefix of the installation.
Root = Annotated[str, Depends(_root)]

NamePath = Annotated[str, Path(description="The job type's name", examples=["url-test"])]


def _name(name: NamePath) -> str:
    # No name holds such characters, and PostgreSQL's texts cannot hold some of them.
    if not name.isprintable() or len(name) > 100:
        raise JobTypeUnknown(f"No job type {name[:100]!r}")
    return name


JobTypeName = Annotated[str, Depends(_name)]


def expected_revision(if_match: str | None) -> int | None:
    """Return the revision that an `If-Match` header names; None: there is no header, or it is `*`.

    Raises:
        DefinitionInvalid: it is not an entity tag of ours.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise DefinitionInvalid([FieldError("If-Match", 'must be the ETag of the job type, such as "42"')])
    return int(text)
