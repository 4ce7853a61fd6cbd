"""The user of a request and its database session, as in Airflow's own API (Airflow 3.3.2).

`tests/api/test_authentication.py` fails if the parts of Airflow that are used here change. `coinrequest.api.rights`
checks what the user may do.
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
from coinrequest.airflow.api_server.request_slots import RESERVED_FOR_AIRFLOW
from coinrequest.airflow.session import airflow_session
from coinrequest.errors import CoinrequestError

# A user, as Airflow's auth manager describes one.
User: TypeAlias = BaseUser

# One per event loop.
_limiter: RunVar[CapacityLimiter] = RunVar("request sessions")

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    bearerFormat="JWT",
    description=(
        "The token from `POST /auth/token` with `{username, password}`. "
        "A browser that is signed in to Airflow needs none: its cookie is used."
    ),
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class Unauthenticated(CoinrequestError):
    """The request carries no token, or an invalid or expired one."""


async def signed_in_user(request: Request, credentials: Credentials) -> User:
    """Return the user of the request's token or cookie.

    Raises:
        Unauthenticated: there is none, or it is invalid. Airflow answers 403 to a bad token; RFC 6750, section 3.1,
            requires 401.
    """
    try:
        # Airflow checks each token against the database in the event loop. With all connections in use, the loop waits
        # for a connection, and the requests that hold one wait for the loop: a deadlock until the 30 s timeout.
        user = await run_in_threadpool(lambda: asyncio.run(get_user(request, None, credentials)))
    except HTTPException as error:
        raise Unauthenticated(str(error.detail)) from error
    except ValueError as error:  # FAB: the user was deleted or locked after the token was made.
        raise Unauthenticated("The user of this token no longer exists") from error
    # For the answers to errors, which suggest only what the user may see.
    request.state.user = user
    return user


async def user_if_signed_in(request: Request, credentials: Credentials) -> User | None:
    """Return the user of the request; None if it has no valid token."""
    try:
        return await signed_in_user(request, credentials)
    except Unauthenticated:
        return None


def new_session() -> AbstractContextManager[Session]:
    """Return a session with its own transaction: committed on exit, rolled back on any error."""
    return airflow_session()


def _session_limiter() -> CapacityLimiter:
    """Return the limiter of concurrent sessions; it is first come, first served."""
    try:
        return _limiter.get()
    except LookupError:
        pool = conf.getint("database", "sql_alchemy_pool_size", fallback=5)
        pool += conf.getint("database", "sql_alchemy_max_overflow", fallback=10)
        limiter = CapacityLimiter(max(1, pool - RESERVED_FOR_AIRFLOW))
        _limiter.set(limiter)
        return limiter


async def _session(request: Request) -> AsyncIterator[Session]:
    limiter, borrower = _session_limiter(), object()
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

# One transaction per request: committed before the response is sent, rolled back on any error.
RequestSession = Annotated[Session, Depends(_session, scope="function")]
