"""How a caller names a revision of a job type: by its number, which is unique, or by its version, which counts 1, 2, 3.

The number counts the changes of all types, and is what `ETag`, `If-Match` and jobs have. The version counts the changes
of one type. Where a number alone could be either, `v2` is a version.
"""

from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema
from sqlalchemy.orm import Session

from coinrequest.errors import FieldError
from coinrequest.generator.lifecycle import JobTypeUnknown, RevisionUnknown
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.errors import ParamsInvalid
from coinrequest.jobtypes.registry import Revision
from coinrequest.jobtypes.suggestions import counted

LARGEST = 2**63 - 1
_WORDS = "must be the number of a revision, such as 41, or a version of the type, such as v2"


def _check(text: str) -> str:
    digits = text.removeprefix("v")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and 1 <= int(digits) <= LARGEST):
        raise ValueError(_WORDS)
    return text


RevisionNumber = Annotated[
    str,
    AfterValidator(_check),
    WithJsonSchema({"type": "string", "pattern": "^v?[1-9][0-9]{0,17}$", "examples": ["v2", "41"]}),
]
Number = Annotated[int, Field(ge=1, le=LARGEST)]


def find(session: Session, name: str, text: str) -> Revision:
    """Return the revision with a number, or with a version such as `v2`.

    Raises:
        JobTypeUnknown: there never was such a type.
        RevisionUnknown: the type has no such revision.
    """
    number = int(text.removeprefix("v"))
    of_version = registry.of_version(session, name, number)
    if text.startswith("v"):
        if of_version is None:
            raise _unknown(session, name, f"version {number}")
        return of_version
    found = registry.find(session, name, number)
    if found is None:
        meant = f"; its version {number} is revision {of_version.number}" if of_version else ""
        raise _unknown(session, name, f"revision {number}{meant}")
    return found


def find_pair(session: Session, name: str, earlier: str | None, later: str | None) -> tuple[Revision, Revision]:
    """Return the two revisions to compare: the last two by default.

    Numbers up to the number of versions are versions; larger ones are those of revisions.

    Raises:
        JobTypeUnknown: there never was such a type.
        RevisionUnknown: the type has no such revision, or only one.
        ParamsInvalid: one number is a version and the other is not.
    """
    newest = registry.latest(session, name)
    if newest is None:
        raise JobTypeUnknown(f"No job type {name!r}")
    count = registry.version_of(session, newest)
    given = [text for text in (earlier, later) if text is not None]
    versions = [text.startswith("v") or int(text) <= count for text in given]
    if len(set(versions)) > 1:
        raise ParamsInvalid(
            [
                FieldError(
                    "from",
                    f"{name!r} has {counted(count, 'version')}, so one of the two is a version and the other a "
                    "revision; write both in the same way, such as from=v1&to=v2",
                )
            ]
        )
    found = [
        find(session, name, f"v{text.removeprefix('v')}" if version else text)
        for text, version in zip(given, versions, strict=True)
    ]
    if later is None:
        found.append(newest)
    if earlier is None:
        before = registry.of_version(session, name, registry.version_of(session, found[-1]) - 1)
        if before is None:
            raise RevisionUnknown(f"{name!r} has no version before {found[-1].number}, so there is nothing to compare")
        found.insert(0, before)
    return found[0], found[1]


def _unknown(session: Session, name: str, what: str) -> JobTypeUnknown | RevisionUnknown:
    newest = registry.latest(session, name)
    if newest is None:
        return JobTypeUnknown(f"No job type {name!r}")
    have = f"; the latest is revision {newest.number}, version {registry.version_of(session, newest)}"
    return RevisionUnknown(f"{name!r} has no {what}{have}")
