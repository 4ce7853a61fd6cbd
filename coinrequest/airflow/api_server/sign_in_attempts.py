"""How often a password may be wrong: counted in the database, so that all web servers count together.

An attempt counts before the password is looked at, for its hash is what costs; a right one is taken back. Three
counters hold for it:

- of the user from this address: ten are free, then each pause is twice as long as the one before, up to a minute;
- of the address, whoever it claims to be, and of the user, from wherever: wide, against guessing across many of them.

The last two do not hold for a user who has signed in from this address before. So nobody can keep a user out of their
own place by guessing from elsewhere, and none of the neighbours behind one address the others.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from coinrequest.airflow.session import Sessions, airflow_session

FREE_OF_PAIR = 10
FREE_OF_ADDRESS = 50
FREE_OF_USER = 100
LONGEST_PAUSE = timedelta(minutes=1)
FORGOTTEN_AFTER = timedelta(minutes=15)
TRUSTED_FOR = timedelta(days=30)
_CLEANED_AT_ONCE = 20

# Inserts or counts on, but where the counter is closed: then nothing is returned.
_COUNT = text(
    """
    INSERT INTO coinrequest_sign_in AS known (key, failures, last_at, retry_at, expires_at)
    VALUES (:key, 1, now(), now(), now() + :forgotten)
    ON CONFLICT (key) DO UPDATE SET
        failures = CASE WHEN known.last_at < now() - :forgotten THEN 1 ELSE known.failures + 1 END,
        retry_at = CASE
            WHEN known.last_at < now() - :forgotten OR known.failures + 1 < :free THEN now()
            ELSE now() + least(:longest, interval '1 second' * power(2, least(known.failures + 1 - :free, 20)))
        END,
        last_at = now(),
        expires_at = greatest(known.expires_at, excluded.expires_at)
    WHERE known.retry_at <= now()
    RETURNING trusted
    """
)
_PAUSE = text("SELECT extract(epoch FROM max(retry_at) - now()) FROM coinrequest_sign_in WHERE key = ANY(:keys)")
_TRUST = text(
    """
    UPDATE coinrequest_sign_in SET failures = 0, retry_at = now(), trusted = true, expires_at = now() + :trusted
    WHERE key = :key
    """
)
_TAKE_BACK = text(
    """
    UPDATE coinrequest_sign_in SET failures = greatest(failures - 1, 0), retry_at = now() WHERE key = ANY(:keys)
    """
)
_CLEAN = text(
    """
    DELETE FROM coinrequest_sign_in WHERE key IN (
        SELECT key FROM coinrequest_sign_in WHERE expires_at < now() ORDER BY expires_at LIMIT :count
        FOR UPDATE SKIP LOCKED
    )
    """
)


@dataclass(frozen=True)
class Attempt:
    """An attempt to sign in.

    Attributes:
        pause: for how many seconds it is refused; 0: the password may be looked at.
        pair: the counter of the user from this address.
        others: the counters that hold besides.
    """

    pause: float
    pair: str
    others: tuple[str, ...]


def begin(user: str, address: str, sessions: Sessions = airflow_session) -> Attempt:
    """Count an attempt of `user` from `address`, unless it is refused."""
    name, place = user.strip().lower(), _network(address)
    pair = _key("pair", name, place)
    # In one order, so that two attempts never wait for each other.
    others = tuple(sorted((_key("address", place), _key("user", name))))
    free = {_key("address", place): FREE_OF_ADDRESS, _key("user", name): FREE_OF_USER}
    with sessions() as session:
        session.execute(_CLEAN, {"count": _CLEANED_AT_ONCE})
        trusted = _count(session, pair, FREE_OF_PAIR)
        if trusted is None:
            return Attempt(_pause(session, (pair,)), pair, ())
        if trusted:
            return Attempt(0, pair, ())
        closed = [key for key in others if _count(session, key, free[key]) is None]
        if closed:
            pause = _pause(session, closed)
            session.rollback()
            return Attempt(pause, pair, ())
    return Attempt(0, pair, others)


def succeeded(attempt: Attempt, sessions: Sessions = airflow_session) -> None:
    """Take an attempt back, for the password was right, and remember that the user signs in from there."""
    with sessions() as session:
        session.execute(_TRUST, {"key": attempt.pair, "trusted": TRUSTED_FOR})
        if attempt.others:
            session.execute(_TAKE_BACK, {"keys": list(attempt.others)})


def _count(session: Session, key: str, free: int) -> bool | None:
    """Count; return whether the counter is of a trusted pair, None: it is closed."""
    arguments = {"key": key, "free": free, "longest": LONGEST_PAUSE, "forgotten": FORGOTTEN_AFTER}
    row = session.execute(_COUNT, arguments).one_or_none()
    return None if row is None else bool(row.trusted)


def _pause(session: Session, keys: list[str] | tuple[str, ...]) -> float:
    return max(1.0, float(session.execute(_PAUSE, {"keys": list(keys)}).scalar_one() or 0))


def _network(address: str) -> str:
    """Return what counts as one address: of IPv6 the network, for a household or a server has all addresses of it."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()
