"""Storing jobs that messages ask for: many in one transaction, or one by one where that fails."""

import logging
from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from coinrequest.airflow.session import Sessions, airflow_session
from coinrequest.database.errors import describe, is_transient
from coinrequest.errors import FieldErrors
from coinrequest.gateway.outcomes import Outcome
from coinrequest.gateway.parsing import reason_of
from coinrequest.generator.lifecycle import JobTypeUnknown
from coinrequest.jobs.errors import JobTypePaused
from coinrequest.jobs.submission import Order, submit, submit_all
from coinrequest.jobtypes.errors import DocumentTooLarge, ParamsInvalid

log = logging.getLogger(__name__)

_REFUSALS = (JobTypeUnknown, JobTypePaused, ParamsInvalid, DocumentTooLarge)
_USER = "channel"


def store(orders: Sequence[Order], sessions: Sessions = airflow_session) -> list[Outcome]:
    """Store jobs; when this returns, what is `stored` is committed.

    Args:
        orders: what messages ask for.
        sessions: gives a session of the metadata database, committed at its end.
    """
    if not orders:
        return []
    try:
        with sessions() as session:
            found = submit_all(session, orders, user=_USER, origin="channel")
    except Exception as error:
        if is_transient(error):
            return [_postponed(error)] * len(orders)
        log.warning("%d messages cannot be stored at once, and are stored one by one: %s", len(orders), _short(error))
    else:
        return [
            _refused(outcome.refusal) if outcome.refusal else Outcome("stored" if outcome.created else "known")
            for outcome in found
        ]
    outcomes: list[Outcome] = []
    for order in orders:
        postponed = next((outcome for outcome in outcomes if outcome.kind == "postponed"), None)
        outcomes.append(postponed or _store_one(order, sessions))
    return outcomes


def _store_one(order: Order, sessions: Sessions, *, again: bool = True) -> Outcome:
    try:
        with sessions() as session:
            accepted = submit(
                session, order.job_type, order.submission, user=_USER, origin="channel", job_id=order.job_id
            )
    except _REFUSALS as refusal:
        return _refused(refusal)
    except IntegrityError as error:
        # Another gateway was first with the same id: now it is there.
        return _store_one(order, sessions, again=False) if again else _postponed(error)
    except Exception as error:
        if is_transient(error):
            return _postponed(error)
        # A damaged definition, or a value that no column holds. Waiting would hold up all messages behind it.
        _log(order, error)
        return Outcome("refused", f"the job cannot be stored: {_told(error)}")
    return Outcome("stored" if accepted.created else "known")


def _log(order: Order, error: Exception) -> None:
    """Log why a job cannot be stored; what SQLAlchemy says has the values of the statement in it."""
    if isinstance(error, SQLAlchemyError):
        log.error("Job %s cannot be stored: %s", order.job_id, _short(error))
    else:
        log.exception("Job %s cannot be stored", order.job_id)


def _refused(refusal: Exception) -> Outcome:
    return Outcome("refused", reason_of(refusal) if isinstance(refusal, FieldErrors) else str(refusal))


def _postponed(error: Exception) -> Outcome:
    return Outcome("postponed", _short(error))


def _told(error: Exception) -> str:
    """Return what the publisher is told, which is no SQL."""
    if isinstance(error, SQLAlchemyError):
        return f"the database does not take it ({describe(error)})"
    return _short(error)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
