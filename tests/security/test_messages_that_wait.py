"""One message must not stop the channel: errors of a message are distinguished from outages, and reported."""

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from psycopg import errors
from sqlalchemy import exc, text
from starlette.testclient import TestClient
from support import api_environment as environment
from support.brokers import Broker, empty, publish, shared_broker, take_all
from support.running_consumer import Order, Store, message, running_consumer
from support.waiting import eventually

from coinrequest.database.errors import describe, is_transient
from coinrequest.gateway import handler
from coinrequest.gateway.heartbeat import Heartbeat
from coinrequest.gateway.outcomes import Outcome
from coinrequest.gateway.status import ChannelStatus, Waiting

pytestmark = pytest.mark.security

HEALTH, METRICS = "/jobs/v1/health", "/jobs/metrics"

# Raised by a real PostgreSQL through the real driver; True: wait, False: it is the message's.
STATES = {
    "08006": True,
    "22003": False,
    "22P05": False,
    "23502": False,
    "25006": True,
    "40001": True,
    "40P01": True,
    "42P01": True,
    "42703": True,
    "42804": False,
    "53100": True,
    "53200": True,
    "53300": True,
    "54000": False,
    "54001": False,
    "55P03": True,
    "57014": True,
    "57P01": True,
    "58030": True,
    "XX000": False,
}


@pytest.fixture
def redis_broker() -> Broker:
    found = shared_broker("redis")
    empty(found)
    return found


@pytest.fixture(scope="module")
def job_type(op: TestClient) -> str:
    found = f"s-{uuid.uuid4().hex[:12]}"
    document = environment.definition(found, params={"type": "object"})
    assert op.post("/jobs/v1/job-types", json=document).status_code == 201
    return found


def order(job_type: str, **fields: Any) -> Any:
    from coinrequest.jobs.submission import Order, Submission

    return Order(uuid.uuid4(), job_type, Submission(**fields))


def store(orders: Sequence[Any], **options: Any) -> list[Outcome]:
    from coinrequest.gateway.storage import store

    return store(orders, **options)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.usefixtures("airflow_app")
def test_the_sql_state_tells_whether_an_error_is_temporary(state: str) -> None:
    from coinrequest.airflow.session import airflow_session

    with pytest.raises(exc.DBAPIError) as raised, airflow_session() as session:
        session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'a secret' USING ERRCODE = '{state}'; END $$"))
    assert is_transient(raised.value) is STATES[state]
    assert describe(raised.value).endswith(f"SQLSTATE {state}")
    assert "secret" not in describe(raised.value)


@pytest.mark.usefixtures("airflow_app")
def test_a_value_that_the_driver_cannot_write_is_not_an_outage() -> None:
    from coinrequest.airflow.session import airflow_session

    with pytest.raises(exc.StatementError) as raised, airflow_session() as session:
        session.execute(text("SELECT CAST(:value AS timestamptz)"), {"value": object()})
    assert not is_transient(raised.value)
    assert not is_transient(OverflowError())
    assert is_transient(exc.TimeoutError())
    assert is_transient(exc.OperationalError("SELECT 1", {}, Exception("connection refused")))


@pytest.mark.parametrize(
    "never",
    [
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-12))),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    ],
    ids=["9999", "1"],
)
def test_a_message_that_cannot_be_stored_is_refused_and_the_others_are_stored(
    op: TestClient, job_type: str, never: datetime
) -> None:
    """Without the check of `run_after`, as with a value that no check catches yet."""
    orders = [order(job_type), order(job_type, run_after=never), order(job_type)]
    outcomes = store(orders)
    assert [outcome.kind for outcome in outcomes] == ["stored", "refused", "stored"]
    assert not re.search("INSERT|coinrequest_|parameters", outcomes[1].reason)
    assert op.get(f"/jobs/v1/jobs/{orders[2].job_id}").status_code == 200
    assert op.get(f"/jobs/v1/jobs/{orders[1].job_id}").status_code == 404


def test_the_answer_to_a_value_that_only_the_database_refuses_contains_no_sql(job_type: str) -> None:
    """A priority that passes all checks, but is out of the range of the column."""
    outcomes = store([order(job_type), order(job_type, priority=2**62), order(job_type, priority=2**100)])
    assert [outcome.kind for outcome in outcomes] == ["stored", "refused", "refused"]
    for outcome in outcomes[1:]:
        assert "the database rejects it" in outcome.reason
        assert not re.search(r"INSERT|coinrequest_|\[", outcome.reason)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat without waiting."""
    from coinrequest.backoff import Backoff

    monkeypatch.setattr(Backoff, "next", lambda self: 0.02)


@pytest.mark.usefixtures("quick")
def test_a_message_that_always_looks_like_an_outage_does_not_block_others(redis_broker: Broker) -> None:
    """It is tried several times while others are stored, then set aside with an answer."""
    bad, ids = uuid.uuid4(), [uuid.uuid4() for _ in range(30)]

    def decide(asked: Order) -> Outcome | None:
        return Outcome("postponed", "server closed the connection") if asked.job_id == bad else None

    whole = Store(decide)

    def batch(orders: Sequence[Order]) -> list[Outcome]:
        # A batch is one transaction: it fails whole.
        if any(asked.job_id == bad for asked in orders) and len(orders) > 1:
            return [Outcome("postponed", "server closed the connection")] * len(orders)
        return whole(orders)

    publish(redis_broker, message(bad), *map(message, ids[:10]))
    with running_consumer(redis_broker.url, batch) as status:  # type: ignore[arg-type]
        eventually(lambda: set(ids[:10]) <= whole.stored, timeout=20, what="those behind it are stored")
        eventually(lambda: status.waiting().count == 1, what="it waits alone")
        assert whole.seen.count(bad) < 2 * handler.MAX_FAILURES
        for job_id in ids[10:]:
            publish(redis_broker, message(job_id))
            eventually(lambda: job_id in whole.stored, timeout=20)  # noqa: B023 - called at once
        (dead,) = take_all(redis_broker, "job-dead-letter", 1)
        eventually(lambda: status.waiting() == Waiting())
    assert "while others were" in dead.headers["x-reason"]
    take_all(redis_broker, "job", 0)


@pytest.mark.usefixtures("quick")
def test_in_an_outage_nothing_is_set_aside_and_only_one_message_is_tried(redis_broker: Broker) -> None:
    away, ids = [True], [uuid.uuid4() for _ in range(20)]
    whole = Store(lambda asked: Outcome("postponed", "connection refused") if away else None)
    publish(redis_broker, *map(message, ids))
    with running_consumer(redis_broker.url, whole) as status:
        eventually(lambda: whole.calls > 10 * handler.MAX_FAILURES)
        assert [len(batch) for batch in whole.batches[-20:]] == [1] * 20
        waiting = status.waiting()
        assert (waiting.count, waiting.reason) == (20, "connection refused")
        assert waiting.since is not None
        assert waiting.since < datetime.now(UTC)
        away.clear()
        eventually(lambda: whole.stored == set(ids))
        eventually(lambda: status.waiting() == Waiting())
    take_all(redis_broker, "job-dead-letter", 0)


@pytest.fixture
def heartbeat(airflow_app: Any) -> Iterator[tuple[ChannelStatus, Heartbeat]]:
    status = ChannelStatus(configured=True)
    status.set_connected("redis://127.0.0.1")
    found = Heartbeat(status)
    found.write()
    yield status, found
    found.remove()


def test_health_and_metrics_report_waiting_messages_with_their_age_and_the_reason(
    op: TestClient, heartbeat: tuple[ChannelStatus, Heartbeat]
) -> None:
    status, shown = heartbeat
    since = datetime.now(UTC) - timedelta(seconds=90)
    for seconds, health in ((3, "healthy"), (90, "unhealthy")):
        status.set_waiting(Waiting(7, datetime.now(UTC) - timedelta(seconds=seconds), "OperationalError: disk full"))
        shown.write()
        assert op.get(HEALTH).json()["components"]["gateway"]["status"] == health
    detail = op.get(HEALTH).json()["components"]["gateway"]["detail"]
    assert "7 messages of the channel wait for the database, the oldest for" in detail
    assert "disk full" in detail
    figures = sampled(op)
    assert figures["coinrequest_channel_messages_waiting"] == 7
    assert figures["coinrequest_channel_oldest_waiting_message_seconds"] >= 90
    assert datetime.now(UTC) - since < timedelta(seconds=200)
    status.set_waiting(Waiting())
    shown.write()
    assert op.get(HEALTH).json()["components"]["gateway"]["status"] == "healthy"
    figures = sampled(op)
    assert figures["coinrequest_channel_messages_waiting"] == 0
    assert figures["coinrequest_channel_oldest_waiting_message_seconds"] == 0


def test_messages_are_counted_by_outcome(op: TestClient, heartbeat: tuple[ChannelStatus, Heartbeat]) -> None:
    status, shown = heartbeat
    name = 'coinrequest_channel_messages_total{outcome="refused"}'
    before = sampled(op).get(name, 0)
    for _ in range(3):
        status.count("refused")
    broken = Heartbeat(status, _away)
    with pytest.raises(exc.OperationalError):
        broken.write()
    shown.write()
    assert sampled(op)[name] == before + 3
    shown.write()
    assert sampled(op)[name] == before + 3


@contextmanager
def _away() -> Iterator[Any]:
    raise exc.OperationalError("SELECT 1", {}, errors.ConnectionFailure("connection refused"))
    yield


def sampled(op: TestClient) -> dict[str, float]:
    lines = op.get(METRICS).text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}
