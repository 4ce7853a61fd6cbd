"""Stores the jobs that messages request: in one transaction, or one by one if that fails."""

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
    """Store jobs, commit, and return the outcome of each.

    Args:
        orders: the jobs that messages request.
        sessions: returns a session of the metadata database, which commits on exit.
    """
    if not orders:
        return []
    try:
        with sessions() as session:
            found = submit_all(session, orders, user=_USER, origin="channel")
    except Exception as error:
        if is_transient(error):
            return [_postponed(error)] * len(orders)
        log.warning(
            "Cannot store %d messages in one transaction; storing them one by one: %s", len(orders), _short(error)
        )
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


def _store_one(order: Order, sessions: Sessions, *, retry: bool = True) -> Outcome:
    try:
        with sessions() as session:
            accepted = submit(
                session, order.job_type, order.submission, user=_USER, origin="channel", job_id=order.job_id
            )
    except _REFUSALS as refusal:
        return _refused(refusal)
    except IntegrityError as error:
        # Another gateway has stored a job with the same id; the next attempt finds it.
        return _store_one(order, sessions, retry=False) if retry else _postponed(error)
    except Exception as error:
        if is_transient(error):
            return _postponed(error)
        # A damaged definition, or a value that no column can hold. Postponing it would block the messages after it.
        _log(order, error)
        return Outcome("refused", f"the job cannot be stored: {_public(error)}")
    return Outcome("stored" if accepted.created else "known")


def _log(order: Order, error: Exception) -> None:
    """Log why a job cannot be stored; without a traceback of SQLAlchemy, which contains the values of the statement."""
    if isinstance(error, SQLAlchemyError):
        log.error("Cannot store job %s: %s", order.job_id, _short(error))
    else:
        log.exception("Cannot store job %s", order.job_id)


def _refused(refusal: Exception) -> Outcome:
    return Outcome("refused", reason_of(refusal) if isinstance(refusal, FieldErrors) else str(refusal))


def _postponed(error: Exception) -> Outcome:
    return Outcome("postponed", _short(error))


def _public(error: Exception) -> str:
    """Return the text of an error for the publisher, without SQL."""
    if isinstance(error, SQLAlchemyError):
        return f"the database rejects it ({describe(error)})"
    return _short(error)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
