"""Counts wrong passwords in the database, so that all web servers share the counters.

An attempt is counted before the password is checked, because hashing it is the expensive part; a correct password is
not counted in the end. There are three counters:

- one for the user from this address: ten attempts are free, then each pause is twice as long, up to a minute;
- one for the address and one for the user, with wide limits, against guessing across many users or addresses.

The last two do not apply to a user who has signed in from this address before. So nobody can lock out a user by
guessing from elsewhere, or the others behind a shared address.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from coinrequest.airflow.session import Sessions, airflow_session

FREE_PER_PAIR = 10
FREE_PER_ADDRESS = 50
FREE_PER_USER = 100
LONGEST_PAUSE = timedelta(minutes=1)
FORGOTTEN_AFTER = timedelta(minutes=15)
TRUSTED_FOR = timedelta(days=30)
_CLEANED_AT_ONCE = 20

# Counts an attempt; returns no row, and counts nothing, during a pause.
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
    WHERE known.retry_at <= clock_timestamp()
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
_UNCOUNT = text(
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
        pause: the seconds for which it is refused; 0 if the password may be checked.
        pair: the counter of the user from this address.
        others: the other counters that the attempt was added to.
    """

    pause: float
    pair: str
    others: tuple[str, ...]


def count_attempt(user: str, address: str, sessions: Sessions = airflow_session) -> Attempt:
    """Count an attempt of `user` from `address`, unless it is refused."""
    name, network = user.strip().lower(), _network(address)
    pair = _key("pair", name, network)
    free = {_key("address", network): FREE_PER_ADDRESS, _key("user", name): FREE_PER_USER}
    # In one order, so that two attempts cannot deadlock.
    others = tuple(sorted(free))
    with sessions() as session:
        session.execute(_CLEAN, {"count": _CLEANED_AT_ONCE})
        trusted = _count(session, pair, FREE_PER_PAIR)
        if trusted is None:
            return Attempt(_pause(session, (pair,)), pair, ())
        if trusted:
            return Attempt(0, pair, ())
        pausing = [key for key in others if _count(session, key, free[key]) is None]
        if pausing:
            pause = _pause(session, pausing)
            session.rollback()
            return Attempt(pause, pair, ())
    return Attempt(0, pair, others)


def record_success(attempt: Attempt, sessions: Sessions = airflow_session) -> None:
    """Uncount an attempt whose password was correct, and trust the address for this user."""
    with sessions() as session:
        session.execute(_TRUST, {"key": attempt.pair, "trusted": TRUSTED_FOR})
        if attempt.others:
            session.execute(_UNCOUNT, {"keys": list(attempt.others)})


def _count(session: Session, key: str, free: int) -> bool | None:
    """Count an attempt; return whether the counter is that of a trusted pair, None if it is pausing."""
    arguments = {"key": key, "free": free, "longest": LONGEST_PAUSE, "forgotten": FORGOTTEN_AFTER}
    row = session.execute(_COUNT, arguments).one_or_none()
    return None if row is None else bool(row.trusted)


def _pause(session: Session, keys: list[str] | tuple[str, ...]) -> float:
    return max(1.0, float(session.execute(_PAUSE, {"keys": list(keys)}).scalar_one() or 0))


def _network(address: str) -> str:
    """Return what counts as one address; for IPv6 the /64 network, all of whose addresses one host may use."""
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
