"""Lets a password be looked at only so often, whichever door it comes in by (FAB 3.10.2, Airflow 3.3.2).

FAB looks at passwords in two functions, for its form, for both routes that give tokens, and for basic authentication.
They are replaced on the security manager that it has made; the front door says from where a request comes, and tells
the caller how long to wait.
"""

import math
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from coinrequest.airflow.api_server import sign_in_attempts


@dataclass
class Visit:
    """A request that may carry a password.

    Attributes:
        address: where it comes from.
        attempt: the attempt that was begun, if one was.
    """

    address: str
    attempt: sign_in_attempts.Attempt | None = None

    @property
    def retry_after(self) -> int:
        """In how many seconds the caller may try again; 0: nothing was refused."""
        return math.ceil(self.attempt.pause) if self.attempt else 0


visit: ContextVar[Visit | None] = ContextVar("visit", default=None)


def limit(security_manager: Any) -> None:
    """Let a FAB security manager look at passwords only as often as `sign_in_attempts` allows."""
    for name in ("auth_user_db", "auth_user_ldap"):
        setattr(security_manager, name, _limited(getattr(security_manager, name)))


def _limited(check: Callable[..., Any]) -> Callable[..., Any]:
    def limited(username: Any, password: Any, *args: Any, **kwargs: Any) -> Any:
        if not (_is_text(username) and _is_text(password)):
            # FAB would answer an error, and only for users that exist.
            return None
        here = visit.get() or Visit("")
        # With LDAP the database is asked after it: still one attempt.
        if here.attempt is None:
            here.attempt = sign_in_attempts.begin(str(username or ""), here.address)
        if here.attempt.pause:
            return None
        user = check(username, password, *args, **kwargs)
        if user is not None:
            sign_in_attempts.succeeded(here.attempt)
        return user

    return limited


def _is_text(value: Any) -> bool:
    """Return whether a name or a password can be stored or hashed: it is no half of a surrogate pair."""
    try:
        str(value or "").encode()
    except UnicodeEncodeError:
        return False
    return True
