"""Limits wrong passwords on every route that takes one (FAB 3.10.2, Airflow 3.3.2).

FAB checks passwords in two functions: for its form, for both routes that issue tokens, and for basic authentication.
They are wrapped on its security manager. The security middleware provides the client's address, and answers 429.
"""

import math
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from coinrequest.airflow.api_server import sign_in_attempts


@dataclass
class SignIn:
    """A request that may carry a password.

    Attributes:
        address: the address of the client.
        attempt: the attempt to sign in, if there was one.
    """

    address: str
    attempt: sign_in_attempts.Attempt | None = None

    @property
    def retry_after(self) -> int:
        """The seconds after which the client may try again; 0 if nothing was refused."""
        return math.ceil(self.attempt.pause) if self.attempt else 0


current_sign_in: ContextVar[SignIn | None] = ContextVar("current_sign_in", default=None)


def limit_sign_in(security_manager: Any) -> None:
    """Make a FAB security manager check passwords only as often as `sign_in_attempts` allows."""
    for name in ("auth_user_db", "auth_user_ldap"):
        setattr(security_manager, name, _limited(getattr(security_manager, name)))


def _limited(check: Callable[..., Any]) -> Callable[..., Any]:
    def limited(username: Any, password: Any, *args: Any, **kwargs: Any) -> Any:
        if not (_is_text(username) and _is_text(password)):
            # FAB would raise an error, but only for users that exist.
            return None
        sign_in = current_sign_in.get() or SignIn("")
        # With LDAP, FAB tries the database afterwards; both are one attempt.
        if sign_in.attempt is None:
            sign_in.attempt = sign_in_attempts.count_attempt(str(username or ""), sign_in.address)
        if sign_in.attempt.pause:
            return None
        user = check(username, password, *args, **kwargs)
        if user is not None:
            sign_in_attempts.record_success(sign_in.attempt)
        return user

    return limited


def _is_text(value: Any) -> bool:
    """Return whether a name or a password can be stored or hashed: it has no lone surrogates."""
    try:
        str(value or "").encode()
    except UnicodeEncodeError:
        return False
    return True
