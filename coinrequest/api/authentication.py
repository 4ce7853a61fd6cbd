"""Who calls, and their session of the database, as Airflow's own API has them.

Written for Airflow 3.3.2; `tests/api/test_authentication.py` fails when what is used here changes.

What the user may do then, `coinrequest.api.rights` asks.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Annotated, TypeAlias

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from fastapi import Depends, HTTPException, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from coinrequest.airflow.api_server.database_timeout import is_abandoned
from coinrequest.airflow.session import airflow_session
from coinrequest.errors import CoinrequestError

# A user, as Airflow's auth manager describes one.
User: TypeAlias = BaseUser

# A flood of our requests leaves so many connections of the pool to the UI, and to agents that report.
_LEFT_TO_AIRFLOW = 5
# One for each event loop.
_limiter: RunVar[CapacityLimiter] = RunVar("sessions of requests")

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    bearerFormat="JWT",
    description=(
        "The token that `POST /auth/token` answers to `{username, password}`. "
        "A browser that is signed in to Airflow needs none: its cookie is used."
    ),
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class Unauthenticated(CoinrequestError):
    """The request carries no token, or one that is not valid (any more)."""


async def signed_in_user(request: Request, credentials: Credentials) -> User:
    """Return the user of the request's token or cookie.

    Raises:
        Unauthenticated: there is none, or it is not valid. Airflow answers 403 to a bad token; RFC 6750,
            section 3.1, asks for 401.
    """
    try:
        # Airflow asks the database for every token, and does so in its event loop. With all connections in use the loop
        # would wait for one, and those that have one for the loop: everything stood still for 30 s at a time.
        return await run_in_threadpool(lambda: asyncio.run(get_user(request, None, credentials)))
    except HTTPException as error:
        raise Unauthenticated(str(error.detail)) from error
    except ValueError as error:  # FAB: the user was deleted or locked after the token was made.
        raise Unauthenticated("The user of this token does not exist any more") from error


async def user_if_signed_in(request: Request, credentials: Credentials) -> User | None:
    """Return the user, or None for a request without a valid token."""
    try:
        return await signed_in_user(request, credentials)
    except Unauthenticated:
        return None


def new_session() -> AbstractContextManager[Session]:
    """Return a session of its own transaction: committed at the end, rolled back at any error."""
    return airflow_session()


def _sessions() -> CapacityLimiter:
    """Return what hands out the right to a connection, in the order of asking."""
    try:
        return _limiter.get()
    except LookupError:
        pool = conf.getint("database", "sql_alchemy_pool_size", fallback=5)
        pool += conf.getint("database", "sql_alchemy_max_overflow", fallback=10)
        limiter = CapacityLimiter(max(1, pool - _LEFT_TO_AIRFLOW))
        _limiter.set(limiter)
        return limiter


async def _session(request: Request) -> AsyncIterator[Session]:
    limiter, borrower = _sessions(), object()
    await limiter.acquire_on_behalf_of(borrower)
    try:
        async with contextmanager_in_threadpool(new_session()) as session:
            if is_abandoned(request.scope):
                raise HTTPException(503)
            yield session
            if is_abandoned(request.scope):
                # The caller was told that nothing was changed, and may have repeated the request.
                raise HTTPException(503)
    finally:
        limiter.release_on_behalf_of(borrower)


SignedIn = Annotated[User, Depends(signed_in_user)]
MaybeUser = Annotated[User | None, Depends(user_if_signed_in)]

# One transaction for each request: committed before the response leaves, rolled back at any error.
RequestSession = Annotated[Session, Depends(_session, scope="function")]
