"""Telling trouble of the database, which passes, from a value that it will never take."""

from sqlalchemy import exc

# Classes of SQLSTATE (PostgreSQL's appendix A), by their beginning: no connection; a transaction that has to be
# repeated; out of resources; stopped by an administrator or by a time limit, or being started; an error of the system
# below; locked by somebody else; a standby, as it is for a moment when another takes over; a session that was ended.
_TROUBLE = ("08", "40", "53", "57", "58", "55P03", "25006", "25P03")
# Tables and columns that are being migrated, and a role that has no right to them yet: no message can cause these.
_TROUBLE_OF_THE_SCHEMA = ("42P01", "42703", "42501", "3F000", "3D000", "28")


def is_trouble(error: BaseException) -> bool:
    """Say whether the same statement may succeed later: the database is away, overloaded, being started or migrated.

    Anything else would fail again for ever: it is the fault of what is stored, or of the program.
    """
    if isinstance(error, exc.TimeoutError):
        # No connection of the pool was free in time.
        return True
    if not isinstance(error, exc.DBAPIError):
        return False
    state = sqlstate(error)
    if state:
        return state.startswith((*_TROUBLE, *_TROUBLE_OF_THE_SCHEMA))
    # The connection broke, or there never was one.
    return error.connection_invalidated or isinstance(error, exc.OperationalError | exc.InterfaceError)


def kind_of(error: exc.SQLAlchemyError) -> str:
    """Return the name of an error, which tells neither the statement nor its values."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}, SQLSTATE {state}" if (state := sqlstate(error)) else type(cause).__name__


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's five characters, as psycopg or psycopg2 have them; None: the error is not the server's."""
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)


def is_lock_timeout(error: BaseException) -> bool:
    """Say whether a statement gave up because others held a lock for longer than `lock_timeout`."""
    return sqlstate(error) == "55P03"
