"""Tells errors of the database that pass from those that come back at every attempt."""

from sqlalchemy import exc

# SQLSTATE codes and classes (PostgreSQL's appendix A): connection lost; transaction to be repeated; out of resources;
# stopped by an administrator, by a timeout or while starting; system error; lock not available; read-only, as a standby
# is for a moment when it takes over; idle session ended.
_TRANSIENT = ("08", "40", "53", "57", "58", "55P03", "25006", "25P03")
# Tables and columns that are being migrated, and a role without its rights so far: no message can cause these.
_TRANSIENT_IN_THE_SCHEMA = ("42P01", "42703", "42501", "3F000", "3D000", "28")


def is_transient(error: BaseException) -> bool:
    """Say whether the same statement may succeed later: the database is away, overloaded, starting or being migrated.

    Any other error comes back at every attempt: the stored value is at fault, or the program.
    """
    if isinstance(error, exc.TimeoutError):
        # No connection of the pool became free in time.
        return True
    if not isinstance(error, exc.DBAPIError):
        return False
    state = sqlstate(error)
    if state:
        return state.startswith((*_TRANSIENT, *_TRANSIENT_IN_THE_SCHEMA))
    # The connection broke, or there never was one.
    return error.connection_invalidated or isinstance(error, exc.OperationalError | exc.InterfaceError)


def is_lock_timeout(error: BaseException) -> bool:
    """Say whether a statement gave up because others held a lock for longer than `lock_timeout`."""
    return sqlstate(error) == "55P03"


def describe(error: exc.SQLAlchemyError) -> str:
    """Return the class of an error and its SQLSTATE, without the statement and its values."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}, SQLSTATE {state}" if (state := sqlstate(error)) else type(cause).__name__


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's code of an error, from psycopg or psycopg2; None: the error is not the server's."""
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
