"""Filters of lists as a query has them: labels, owners, tags; and warnings about names that nothing has."""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from coinrequest.airflow import dag_search
from coinrequest.api.models import ListWarning
from coinrequest.errors import FieldError
from coinrequest.jobs import listing
from coinrequest.jobtypes.errors import ParamsInvalid
from coinrequest.jobtypes.labels import LABEL_NAME
from coinrequest.jobtypes.suggestions import nearest, quoted

Names = frozenset[str] | None


def labels(texts: Collection[str]) -> dict[str, str]:
    """Return labels that are written as `name:value`.

    Raises:
        ParamsInvalid: one is not, or a name has two values.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if not (colon and re.fullmatch(LABEL_NAME, name) and value.isprintable()):
            raise ParamsInvalid([FieldError("label", "must be name:value, such as team:data")])
        if found.setdefault(name, value) != value:
            raise ParamsInvalid([FieldError("label", f"has two values for {name!r}, but a job has only one")])
    return found


def require_order(name: str, since: datetime | None, until: datetime | None) -> None:
    """Raise if no time is between two filters.

    Raises:
        ParamsInvalid: `until` is not after `since`.
    """
    if since is not None and until is not None and until <= since:
        prefix = name.removesuffix("until")
        raise ParamsInvalid([FieldError(name, f"must be later than {prefix}since, or there is nothing between them")])


def types_among(
    session: Session, visible: Names, types: Collection[str], owners: Collection[str], tags: Collection[str]
) -> Names:
    """Return the names of the visible job types that filters leave; None: all.

    Args:
        types: any of these names; none: all.
        owners: any of these; none: all.
        tags: all of these.
    """
    names = visible
    if types:
        names = frozenset(types) if names is None else names & frozenset(types)
    if owners or tags:
        found = frozenset(dag_search.with_owner_and_tags(session, owners, tags))
        names = found if names is None else names & found
    return names


def warnings(
    session: Session,
    visible: Names,
    *,
    types: Collection[str] = (),
    owners: Collection[str] = (),
    tags: Collection[str] = (),
    label_names: Collection[str] = (),
) -> list[ListWarning]:
    """Return a warning for each name in the filters of an empty list that nothing has which the user may see."""
    asked: list[tuple[str, str, Collection[str], Callable[[], set[str]]]] = [
        ("type", "job type", types, lambda: dag_search.known_names(session, visible)),
        ("owner", "job type of the owner", owners, lambda: dag_search.known_owners(session, visible)),
        ("tag", "job type with the tag", tags, lambda: dag_search.known_tags(session, visible)),
        ("label", "recent job with the label", label_names, lambda: listing.label_names(session, visible)),
    ]
    return [
        ListWarning(field=field, message=message)
        for field, what, names, read in asked
        if names
        for message in _unknown(what, names, read())
    ]


def _unknown(what: str, names: Collection[str], known: set[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            match = nearest(name, known)
            yield f"there is no {what} {quoted(name)}" + (f"; did you mean {match!r}?" if match else "")
