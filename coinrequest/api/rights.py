"""FastAPI dependencies that check the rights of the user, and return the user.

A route about one job type checks the name before it checks whether the type exists, and answers 403, as Airflow does. A
job or a notice of a type that the user may not read is a 404, like one that does not exist.
"""

import hmac
from collections.abc import Callable
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session

from coinrequest import settings
from coinrequest.airflow.api_server import rights
from coinrequest.airflow.api_server.rights import Forbidden, Right
from coinrequest.api.authentication import Credentials, SignedIn, User, new_session, signed_in_user
from coinrequest.api.parameters import JobTypeName
from coinrequest.jobs import query
from coinrequest.jobs.errors import JobUnknown
from coinrequest.jobs.url_tests import JOB_TYPE as URL_TEST
from coinrequest.notices import delivery_log
from coinrequest.notices.delivery_log import NoticeUnknown

# Not async, so that FastAPI runs them in its thread pool: the checks may read the database.


def _general(action: str, role: str, is_allowed: Callable[[User], bool]) -> Callable[[User], User]:
    def check(user: SignedIn) -> User:
        if not is_allowed(user):
            raise Forbidden(f"{user.get_name()!r} may not {action}; {rights.remedy(role)}, or a team's role")
        return user

    return check


def _on_type(right: Right) -> Callable[[User, str], User]:
    def check(user: SignedIn, name: JobTypeName) -> User:
        right.require(user, name)
        return user

    return check


def _on_fixed_type(right: Right, name: str) -> Callable[[User], User]:
    def check(user: SignedIn) -> User:
        right.require(user, name)
        return user

    return check


def _on_type_of(
    find_type: Callable[[Session, UUID], str | None], not_found: Callable[[UUID], Exception], *required: Right
) -> Callable[[User, UUID], User]:
    """Return the check for a route with the id of a job or a notice; `find_type` returns the name of its type."""

    def check(user: SignedIn, id: UUID) -> User:
        # Most users have the rights on all types, and then no query is needed.
        if not all(right.held_for_all(user) for right in (rights.READ_JOBS, *required)):
            with new_session() as session:
                name = find_type(session, id)
            if name is None or not rights.READ_JOBS.held(user, name):
                raise not_found(id)
            for right in required:
                right.require(user, name)
        return user

    return check


_on_job = partial(_on_type_of, query.type_of, lambda id: JobUnknown(f"No job {id}"))
_on_notice = partial(_on_type_of, delivery_log.type_of, lambda id: NoticeUnknown(f"No notice {id}"))


def _names(right: Right) -> Callable[[User], frozenset[str] | None]:
    def find(user: Reader) -> frozenset[str] | None:
        return right.names(user)

    return find


def require_connection(user: User, name: str | None) -> None:
    """Raise if a connection is named and the user may not read it, whether it exists or not.

    Raises:
        Forbidden: the user may not read the connection.
    """
    if name is not None and not rights.may_read_connection(user, name):
        raise Forbidden(
            f"callback.secret: {user.get_name()!r} may not name a connection without the right to read connections; "
            f"send the secret itself (whsec_...), or {rights.remedy('Op')}"
        )


_reader = _general("read job types and jobs", "Viewer", rights.may_list)
Reader = Annotated[User, Depends(_reader)]
Registrar = Annotated[User, Depends(_general("change job types", "Op", rights.may_define_some))]
"""May define job types under some names; `CHANGE.require` checks the name in the document."""
TypeReader = Annotated[User, Depends(_on_type(rights.READ))]
TypeSubmitter = Annotated[User, Depends(_on_type(rights.SUBMIT))]
TypeRegistrar = Annotated[User, Depends(_on_type(rights.CHANGE))]
JobReader = Annotated[User, Depends(_on_job(rights.READ_RESULTS))]
JobSubmitter = Annotated[User, Depends(_on_job(rights.READ_RESULTS, rights.SUBMIT))]
LogReader = Annotated[User, Depends(_on_job(rights.READ_LOGS))]
NoticeSubmitter = Annotated[User, Depends(_on_notice(rights.SUBMIT))]
UrlReader = Annotated[User, Depends(_on_fixed_type(rights.READ_RESULTS, URL_TEST))]
UrlSubmitter = Annotated[User, Depends(_on_fixed_type(rights.SUBMIT, URL_TEST))]
# The names of the job types that the user may see; None if all.
TypeNames = Annotated[frozenset[str] | None, Depends(_names(rights.READ))]
JobNames = Annotated[frozenset[str] | None, Depends(_names(rights.READ_JOBS))]


async def scraper(request: Request, credentials: Credentials) -> None:
    """Accept the metrics token of a monitoring system, and users who may read all job types.

    Raises:
        Unauthenticated: the request has neither the metrics token nor a user.
        Forbidden: the user may not read all job types.
    """
    token = settings.metrics_token()
    if token and credentials and hmac.compare_digest(credentials.credentials.encode(), token.encode()):
        return
    user = await run_in_threadpool(_reader, await signed_in_user(request, credentials))
    if not await run_in_threadpool(rights.READ_JOBS.held_for_all, user):
        raise Forbidden(
            f"{user.get_name()!r} may not read all job types, and the metrics cover all of them; "
            f"{rights.remedy('Viewer')}, or scrape with the installation's metrics token"
        )
