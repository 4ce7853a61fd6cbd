"""Parameters that routes share."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, StringConstraints

from coinrequest.errors import FieldError
from coinrequest.generator.lifecycle import JobTypeUnknown
from coinrequest.jobtypes.errors import DefinitionInvalid

Limit = Annotated[int, Query(ge=1, le=100, description="The most items on a page")]
Cursor = Annotated[
    str | None, Query(max_length=2048, description="The `next_cursor` of the previous page; omit it for the first page")
]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text


_Printable = Annotated[str, StringConstraints(max_length=256, pattern=r"^[ -~]*$")]
Owners = Annotated[
    list[_Printable], Query(max_length=20, description="Only of job types of this owner; if repeated, of any of them")
]
Tags = Annotated[
    list[Annotated[str, StringConstraints(max_length=100), AfterValidator(_without_nul)]],
    Query(max_length=20, description="Only of job types with this tag; if repeated, with all of them"),
]
Types = Annotated[
    list[_Printable], Query(max_length=20, description="Only jobs of this type; if repeated, of any of them")
]
Submitters = Annotated[
    list[_Printable], Query(max_length=20, description="Only jobs submitted by this user; if repeated, by any of them")
]


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


# The path at which the API is mounted, for links: /jobs, with the prefix of the installation if it has one.
Root = Annotated[str, Depends(_root)]

NamePath = Annotated[str, Path(description="The job type's name", examples=["url-test"])]


def _name(name: NamePath) -> str:
    # No name contains such characters, and PostgreSQL cannot store some of them.
    if not name.isprintable() or len(name) > 100:
        raise JobTypeUnknown(f"No job type {name[:100]!r}")
    return name


JobTypeName = Annotated[str, Depends(_name)]


def expected_revision(if_match: str | None) -> int | None:
    """Return the revision that an `If-Match` header names; None if there is no header, or if it is `*`.

    Raises:
        DefinitionInvalid: the header is not an entity tag of this API.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise DefinitionInvalid([FieldError("If-Match", 'must be the ETag of the job type, such as "42"')])
    return int(text)
