"""Who may call a route: FastAPI's dependencies, each of which gives the user.

Where a route is about one type, the type is checked by its name, before anybody looks whether it exists: 403, as
Airflow answers. A job or notice of a type that the user may not read is as unknown as one that does not exist: 404.
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

# Plain functions: FastAPI runs them in its thread pool, because the checks may read the database.


def _general(what: str, allowed: Callable[[User], bool]) -> Callable[[User], User]:
    def check(user: SignedIn) -> User:
        if not allowed(user):
            raise Forbidden(f"{user.get_name()!r} may not {what}; an administrator can give a role for it")
        return user

    return check


def _named(right: Right) -> Callable[[User, str], User]:
    def check(user: SignedIn, name: JobTypeName) -> User:
        right.require(user, name)
        return user

    return check


def _always(right: Right, name: str) -> Callable[[User], User]:
    def check(user: SignedIn) -> User:
        right.require(user, name)
        return user

    return check


def _behind(
    find: Callable[[Session, UUID], str | None], unknown: Callable[[UUID], Exception], *needed: Right
) -> Callable[[User, UUID], User]:
    """Return the check of a route with the id of something whose type `find` knows."""

    def check(user: SignedIn, id: UUID) -> User:
        # Those who may do it with all types, which is most people, cost no look at the job.
        if not all(right.held_for_all(user) for right in (rights.READ_JOBS, *needed)):
            with new_session() as session:
                name = find(session, id)
            if name is None or not rights.READ_JOBS.held(user, name):
                raise unknown(id)
            for right in needed:
                right.require(user, name)
        return user

    return check


_of_job = partial(_behind, query.type_of, lambda id: JobUnknown(f"No job {id}"))
_of_notice = partial(_behind, delivery_log.type_of, lambda id: NoticeUnknown(f"No notice {id}"))


def _names(right: Right) -> Callable[[User], frozenset[str] | None]:
    def find(user: Reader) -> frozenset[str] | None:
        return right.names(user)

    return find


def require_connection(user: User, name: str | None) -> None:
    """Do nothing where no connection is named, or the user may read connections.

    Raises:
        Forbidden: the user may not; whether the connection exists makes no difference.
    """
    if name is not None and not rights.may_read_connection(user, name):
        raise Forbidden(
            f"callback.secret: {user.get_name()!r} may not read connections, and so may not name one; "
            "send the secret itself (whsec_...)"
        )


_reader = _general("read job types and jobs", rights.may_list)
Reader = Annotated[User, Depends(_reader)]
Registrar = Annotated[User, Depends(_general("change job types", rights.may_define_some))]
"""Who may define types under some names; `CHANGE.require` checks the name that the document has."""
TypeReader = Annotated[User, Depends(_named(rights.READ))]
TypeSubmitter = Annotated[User, Depends(_named(rights.SUBMIT))]
TypeRegistrar = Annotated[User, Depends(_named(rights.CHANGE))]
JobReader = Annotated[User, Depends(_of_job(rights.READ_RESULTS))]
JobSubmitter = Annotated[User, Depends(_of_job(rights.READ_RESULTS, rights.SUBMIT))]
LogReader = Annotated[User, Depends(_of_job(rights.READ_LOGS))]
NoticeSubmitter = Annotated[User, Depends(_of_notice(rights.SUBMIT))]
UrlReader = Annotated[User, Depends(_always(rights.READ_RESULTS, URL_TEST))]
UrlSubmitter = Annotated[User, Depends(_always(rights.SUBMIT, URL_TEST))]
# Of which types the user may see something; None: of all.
TypeNames = Annotated[frozenset[str] | None, Depends(_names(rights.READ))]
JobNames = Annotated[frozenset[str] | None, Depends(_names(rights.READ_JOBS))]


async def scraper(request: Request, credentials: Credentials) -> None:
    """Let a monitoring system in that sends the metrics token, and everybody who may read all types.

    Raises:
        Unauthenticated: neither the token nor a user.
        Forbidden: the user may not read, or not everything that is counted.
    """
    token = settings.metrics_token()
    if token and credentials and hmac.compare_digest(credentials.credentials.encode(), token.encode()):
        return
    user = await run_in_threadpool(_reader, await signed_in_user(request, credentials))
    if not await run_in_threadpool(rights.READ_JOBS.held_for_all, user):
        raise Forbidden(f"{user.get_name()!r} may not read all job types, and the metrics cover all of them")
