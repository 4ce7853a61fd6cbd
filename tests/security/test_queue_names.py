"""A queue of tasks cannot have a name that the broker or the channel uses; unknown queues are reported."""

import re
from collections.abc import Callable
from configparser import ConfigParser
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from coinrequest import queues
from coinrequest.airflow.celery_pool import Agent
from coinrequest.channel import redis_transport, topology
from coinrequest.jobtypes.grammar import QUEUE_PATTERN
from coinrequest.single_flight import SingleFlight
from coinrequest.stack.layout import project_root

pytestmark = pytest.mark.security

TYPES = "/jobs/v1/job-types"

CELERYS = ("unacked", "unacked_index", "unacked_mutex", "x.reply.celery.pidbox", "celeryev.1", "celery-task-meta-1")
RABBITMQS = ("amq.gen-1", "amq.rabbitmq.reply-to")
CHANNELS = (
    topology.JOB_QUEUE,
    topology.RESULT_QUEUE,
    topology.DEAD_LETTER_QUEUE,
    topology.EXCHANGE,
    f"{topology.PRIVATE_QUEUE_PREFIX}1",
    redis_transport.UNACKED_KEY,
    redis_transport.UNACKED_INDEX_KEY,
)
# What the grammar itself refuses: other bands of a queue, bindings, a second line.
UNWRITABLE = ("default\x06\x163", "_kombu.binding.default", "default\n", "celery:unacked", "a b", "")


def queued(definition: dict[str, Any], queue: str) -> dict[str, Any]:
    definition["tasks"][0]["queue"] = queue
    return definition


@pytest.mark.parametrize("queue", [*CELERYS, *RABBITMQS, *CHANNELS, *UNWRITABLE])
@pytest.mark.usefixtures("tables_unchanged")
def test_a_name_that_the_broker_uses_is_refused(op: TestClient, definition: dict[str, Any], queue: str) -> None:
    document = queued(definition, queue)
    for answer in (
        op.post(TYPES, json=document),
        op.post(f"{TYPES}?dry_run=true", json=document),
        op.put(f"{TYPES}/{document['name']}", json=document),
    ):
        assert answer.status_code == 422, answer.text
        assert [error["field"] for error in answer.json()["errors"]] == ["tasks[0].queue"]


@pytest.mark.parametrize("queue", ["mail", "celery", "jobs", "results", "reader", "un-acked", "default"])
def test_other_names_are_accepted(queue: str) -> None:
    assert queues.refusal(queue) is None


def test_celerys_own_keys_have_names_that_no_queue_can_have() -> None:
    parser = ConfigParser(interpolation=None)
    parser.read(project_root() / "config" / "airflow.cfg")
    options = parser["celery_broker_transport_options"]
    for key in ("unacked_key", "unacked_index_key", "unacked_mutex_key"):
        assert not re.fullmatch(QUEUE_PATTERN, options[key])


def test_if_the_queues_are_listed_an_unknown_one_is_refused_with_a_suggestion(
    op: TestClient, definition: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COINREQUEST_QUEUES", "mail, reports")
    answer = op.post(TYPES, json=queued(definition, "report"))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "tasks[0].queue"
    assert "did you mean 'reports'?" in error["message"]
    for queue in ("default", "mail", "reports"):
        assert op.post(f"{TYPES}?dry_run=true", json=queued(definition, queue)).status_code == 200


@pytest.fixture
def agents(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the queues that the agents serve."""
    from coinrequest.api.routes import agents as route

    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")

    def serve(*served: str) -> None:
        agent = Agent("one@host", "host", served, 4, datetime(2026, 1, 1, tzinfo=UTC), 0, ())
        look = SingleFlight(lambda: [agent], keep=60, name="test")
        look.call().result()
        monkeypatch.setattr(route, "inspection", look)

    return serve


def test_if_they_are_not_listed_a_warning_reports_a_queue_without_agents(
    op: TestClient, definition: dict[str, Any], agents: Callable[..., None]
) -> None:
    agents("default", "mail")
    document = queued(definition, "mial")
    preview = op.post(f"{TYPES}?dry_run=true", json=document).json()
    registered = op.post(TYPES, json=document)
    replaced = op.put(f"{TYPES}/{document['name']}", json={**document, "description": "again"})
    assert (registered.status_code, replaced.status_code) == (201, 200)
    for answer in (preview, registered.json(), replaced.json()):
        (warning,) = answer["warnings"]
        assert warning["field"] == "tasks[0].queue"
        assert "'mial'" in warning["message"]
    unregistered = queued({**definition, "name": f"{definition['name']}-2"}, "mail")
    assert op.post(f"{TYPES}?dry_run=true", json=unregistered).json()["warnings"] == []


def test_with_a_pod_for_each_task_there_is_no_warning(
    op: TestClient, definition: dict[str, Any], agents: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    agents()
    document = queued(definition, "mail")
    assert op.post(f"{TYPES}?dry_run=true", json=document).json()["warnings"] != []
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "KubernetesExecutor")
    assert op.post(f"{TYPES}?dry_run=true", json=document).json()["warnings"] == []


def test_an_outage_of_the_broker_does_not_prevent_registrations(
    op: TestClient, definition: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from coinrequest.airflow.celery_pool import AgentsUnreachable
    from coinrequest.api.routes import agents as route

    def away() -> list[Agent]:
        raise AgentsUnreachable("away")

    monkeypatch.setattr(route, "inspection", SingleFlight(away, keep=0, name="test"))
    answer = op.post(TYPES, json=queued(definition, "mail"))
    assert (answer.status_code, answer.json()["warnings"]) == (201, [])


def test_health_names_the_queue_without_agents(
    op: TestClient, definition: dict[str, Any], agents: Callable[..., None]
) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    agents("default")
    name = op.post(TYPES, json=queued(definition, "nobody")).json()["name"]
    job = op.post(f"{TYPES}/{name}/jobs", json={}).json()["id"]

    def component() -> dict[str, Any] | None:
        found: dict[str, Any] | None = op.get("/jobs/v1/health").json()["components"].get("queues")
        return found

    assert component() in (None, {"status": "healthy", "detail": None}), "nothing waits long"
    with create_session(scoped=False) as session:
        session.execute(
            text(
                "UPDATE task_instance SET state = 'queued', scheduled_dttm = now() - interval '1 minute'"
                " WHERE dag_id = :name"
            ),
            {"name": name},
        )
    try:
        found = component()
        assert found is not None
        assert found["status"] == "unhealthy"
        assert "1 for 'nobody'" in found["detail"]
        agents("default", "nobody")
        assert component() == {"status": "healthy", "detail": None}
    finally:
        op.post(f"/jobs/v1/jobs/{job}/cancel", json={})
