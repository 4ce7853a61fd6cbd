"""Messages of the channel are stored as jobs, each once, whatever they contain and whatever fails."""

import importlib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg.errors import UndefinedColumn
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

pytestmark = pytest.mark.usefixtures("airflow_app")


@pytest.fixture
def job_type(op: Any, name: str) -> str:
    document = {
        "name": name,
        "params": {
            "type": "object",
            "properties": {"value": {"type": "integer", "minimum": 0}},
            "required": ["value"],
            "additionalProperties": False,
        },
        "tasks": [{"id": "wait", "action": "integer.wait", "inputs": {"value": "{{ params.value }}"}}],
    }
    answer = op.post("/jobs/v1/job-types", json=document)
    assert answer.status_code == 201, answer.text
    return name


@pytest.fixture
def storing(airflow_app: Any) -> Any:
    return importlib.import_module("coinrequest.gateway.storage")


def _order(job_type: str, value: Any = 0, **fields: Any) -> Any:
    from coinrequest.jobs.submission import Order, Submission

    return Order(uuid.uuid4(), job_type, Submission({"value": value}, **fields))


def store(orders: Sequence[Any]) -> list[Any]:
    from coinrequest.gateway.storage import store

    return store(orders)


def _count(job_type: str) -> int:
    from coinrequest.airflow.session import airflow_session

    with airflow_session() as session:
        found = session.execute(text("SELECT count(*) FROM coinrequest_job WHERE job_type = :name"), {"name": job_type})
        return int(found.scalar_one())


def test_a_batch_is_stored_as_jobs_of_the_channel(op: Any, job_type: str) -> None:
    orders = [_order(job_type, number, labels={"team": "a"}, priority=7) for number in range(20)]
    assert [outcome.kind for outcome in store(orders)] == ["stored"] * 20
    job = op.get(f"/jobs/v1/jobs/{orders[3].job_id}").json()
    assert (job["origin"], job["state"], job["params"], job["priority"]) == ("channel", "queued", {"value": 3}, 7)
    assert job["labels"] == {"team": "a"}
    assert [outcome.kind for outcome in store(orders[:2])] == ["known", "known"]
    assert _count(job_type) == 20


def test_each_refusal_has_its_reason_and_the_others_are_stored(job_type: str) -> None:
    good, bad, unknown = _order(job_type), _order(job_type, "three"), _order("no-such-type")
    outcomes = store([bad, good, unknown])
    assert [outcome.kind for outcome in outcomes] == ["refused", "stored", "refused"]
    assert "params.value" in outcomes[0].reason
    assert "no-such-type" in outcomes[2].reason
    assert _count(job_type) == 1


def test_a_paused_type_is_a_refusal(op: Any, job_type: str) -> None:
    assert op.post(f"/jobs/v1/job-types/{job_type}/pause").status_code == 200
    (outcome,) = store([_order(job_type)])
    assert (outcome.kind, "paused" in outcome.reason) == ("refused", True)


def test_messages_are_stored_one_by_one_if_the_batch_fails(
    job_type: str, storing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise KeyError("a bug of the bulk path")

    monkeypatch.setattr(storing, "submit_all", fails)
    known = _order(job_type)
    store([known])
    outcomes = store([_order(job_type), known, _order(job_type, -1), _order(job_type)])
    assert [outcome.kind for outcome in outcomes] == ["stored", "known", "refused", "stored"]
    assert _count(job_type) == 3


def test_an_id_that_another_gateway_stores_at_the_same_time_is_known(
    job_type: str, storing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other gateway stores it between our query and our insert."""
    order, other = _order(job_type), _order(job_type)
    real = storing.submit_all

    def late(session: Any, orders: Any, **options: Any) -> Any:
        outcomes = real(session, orders, **options)
        session.rollback()
        monkeypatch.setattr(storing, "submit_all", real)
        assert [outcome.kind for outcome in store([order])] == ["stored"]
        real(session, [other], **options)
        # An insert of a row that another transaction has committed raises this.
        session.execute(
            text("INSERT INTO coinrequest_job SELECT * FROM coinrequest_job WHERE id = :id"), {"id": order.job_id}
        )
        return outcomes

    monkeypatch.setattr(storing, "submit_all", late)
    assert [outcome.kind for outcome in store([order, other])] == ["known", "stored"]
    assert _count(job_type) == 2


@pytest.mark.parametrize(
    ("error", "cause"),
    [(OperationalError, Exception("is away")), (ProgrammingError, UndefinedColumn("is away, it is being migrated"))],
)
def test_an_unavailable_database_postpones(
    job_type: str, storing: Any, error: type[DBAPIError], cause: Exception
) -> None:
    """It is unreachable, or is just being migrated."""

    @contextmanager
    def away() -> Iterator[Any]:
        raise error("SELECT 1", {}, cause)
        yield

    outcomes = storing.store([_order(job_type), _order(job_type)], away)
    assert [outcome.kind for outcome in outcomes] == ["postponed", "postponed"]
    assert "is away" in outcomes[0].reason


def test_a_damaged_definition_refuses_only_its_own_jobs(
    job_type: str, storing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = storing.submit

    def damaged(session: Any, name: str, *rest: Any, **options: Any) -> Any:
        if name == "damaged":
            raise LookupError("no field 'tasks'")
        return real(session, name, *rest, **options)

    def fails(*_: Any, **__: Any) -> Any:
        raise LookupError("no field 'tasks'")

    monkeypatch.setattr(storing, "submit_all", fails)
    monkeypatch.setattr(storing, "submit", damaged)
    bad, good = store([_order("damaged"), _order(job_type)])
    assert (bad.kind, good.kind) == ("refused", "stored")
    assert "no field 'tasks'" in bad.reason
