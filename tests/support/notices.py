"""Notices to deliver, and a dispatcher beside the test."""

import contextlib
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from coinrequest.notices.dispatch import Dispatcher
from coinrequest.notices.policy import LIFETIME, Policy
from support.receiver import Receiver
from support.waiting import eventually

# Everything happens within the patience of a test.
QUICK = Policy(
    first_delay=timedelta(seconds=0.05),
    longest_delay=timedelta(seconds=0.2),
    longest_pause=timedelta(seconds=0.1),
    webhook_seconds=10.0,
    poll_seconds=0.05,
)
BODY = '{"type": "job.completed", "data": {"state": "success"}}'


@contextlib.contextmanager
def dispatching(policy: Policy = QUICK, **arguments: Any) -> Iterator[Dispatcher]:
    """A dispatcher that runs; at the end it has stopped."""
    dispatcher = Dispatcher(arguments.pop("publisher", None), policy=policy, **arguments)
    stop = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield dispatcher
    finally:
        stop.set()
        dispatcher.wake()
        thread.join(30)
        assert not thread.is_alive(), "the dispatcher does not stop"


def execute(statement: str, **values: Any) -> list[Any]:
    """Run one statement on the metadata database and return its rows."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session(scoped=False) as session:
        result = session.execute(text(statement), values)
        return list(result) if result.returns_rows else []


def clear() -> None:
    """Remove what earlier tests are owed."""
    execute("DELETE FROM coinrequest_completion")
    execute("DELETE FROM coinrequest_notice")


def owe(destination: str, *, kind: str = "webhook", left: timedelta = LIFETIME, **columns: Any) -> UUID:
    """Write a notice that is due; `left` is how long it may be tried."""
    from airflow.utils.session import create_session
    from sqlalchemy import insert

    from coinrequest.database.tables import notice

    now = datetime.now(UTC)
    row = {
        "id": uuid.uuid4(),
        "job_id": uuid.uuid4(),
        "kind": kind,
        "destination": destination,
        "body": BODY,
        "created_at": now,
        "next_attempt_at": now,
        "give_up_at": now + left,
        **columns,
    }
    with create_session(scoped=False) as session:
        session.execute(insert(notice).values(**row))
    return UUID(str(row["id"]))


def notice(notice_id: UUID) -> Any:
    """The row of a notice."""
    (row,) = execute("SELECT * FROM coinrequest_notice WHERE id = :id", id=notice_id)
    return row


def attempts(notice_id: UUID) -> list[Any]:
    """The attempts of a notice, in their order."""
    return execute("SELECT * FROM coinrequest_notice_attempt WHERE notice_id = :id ORDER BY number", id=notice_id)


def await_state(notice_id: UUID, state: str, timeout: float = 15.0) -> Any:
    """Wait until a notice is in a state, and return its row."""

    def row() -> Any:
        found = notice(notice_id)
        assert found.state == state, f"{found.state} after {[(a.status, a.error) for a in attempts(notice_id)]}"
        return found

    return eventually(row, timeout=timeout, interval=0.03)


def ids(receiver: Receiver) -> list[str]:
    """The ids of the notices that came in, in the order of their coming."""
    return [request.headers["webhook-id"] for request in receiver.received]


def message_id(notice_id: UUID) -> str:
    """What the receiver sees as the notice's id."""
    return f"msg_{notice_id.hex}"
