"""A task of a higher band is taken first, over a real Redis and Celery's own sending and taking."""

import json
from collections.abc import Iterator
from configparser import ConfigParser
from typing import Any

import pytest
from celery import Celery
from support.redis_server import redis_server

from coinrequest.airflow.executor.routing import band, route
from coinrequest.stack.layout import project_root

QUEUE = "default"


def workload(weight: Any = 1, **fields: Any) -> str:
    """What the scheduler sends for a task of this weight."""
    task = {"dag_id": "integer", "run_id": "r", "task_id": "wait", "try_number": 1, "map_index": -1}
    return json.dumps({"token": "secret", "type": "ExecuteTask", "ti": {**task, "priority_weight": weight, **fields}})


def _nothing(text: str) -> None:
    """Stand for Airflow's task, which no test runs."""


def configured() -> dict[str, Any]:
    """What the project's configuration tells Celery."""
    parser = ConfigParser(interpolation=None)
    parser.read(project_root() / "config" / "airflow.cfg")
    extra = json.loads(parser["celery"]["extra_celery_config"])
    options = parser["celery_broker_transport_options"]
    return {
        "task_routes": extra["task_routes"],
        "broker_transport_options": {"visibility_timeout": float(options["visibility_timeout"])},
    }


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with redis_server() as socket:
        yield socket


@pytest.fixture
def application(server: str) -> Iterator[Celery]:
    """A Celery application with the project's settings over an empty Redis, and the task that Airflow has."""
    import redis

    with redis.Redis(unix_socket_path=server) as client:
        client.flushall()
    with Celery("routing", broker=f"redis+socket://{server}", set_as_current=False) as application:
        application.conf.update(**configured(), task_default_queue=QUEUE, task_ignore_result=True)
        application.task(name="execute_workload")(_nothing)
        yield application


def send(application: Celery, weight: Any, **fields: Any) -> None:
    """Send a task as the Celery provider does (3.26.0, `send_workload_to_executor`)."""
    task = application.tasks["execute_workload"]
    task.apply_async(args=(workload(weight, **fields),), queue=QUEUE, task_id=None)


def taken(application: Celery, count: int, *, acknowledge: bool = True) -> list[Any]:
    """Take messages one after another, as an agent with one slot does; return their weights."""
    weights: list[Any] = []
    with application.connection_for_read() as connection, connection.channel() as channel:
        channel.basic_qos(0, 1, False)

        def take(body: Any, message: Any) -> None:
            weights.append(json.loads(body[0][0])["ti"]["priority_weight"])
            if acknowledge:
                message.ack()

        consumer = application.amqp.TaskConsumer(channel, [application.amqp.queues[QUEUE]], callbacks=[take])
        with consumer:
            while len(weights) < count:
                connection.drain_events(timeout=10)
    return weights


def test_larger_weights_are_taken_first_and_equal_bands_in_order(application: Celery) -> None:
    for weight in (1, 2, 1, 50, 9, 1000, 10, 100, 1):
        send(application, weight)
    assert taken(application, 9) == [1000, 100, 50, 10, 2, 9, 1, 1, 1]


def test_one_that_comes_late_passes_a_backlog(application: Celery) -> None:
    for _ in range(20):
        send(application, 1)
    assert taken(application, 2) == [1, 1]
    send(application, 100)
    assert taken(application, 2) == [100, 1]


def test_a_message_of_an_agent_that_died_keeps_its_place(application: Celery) -> None:
    application.conf.broker_transport_options = {"visibility_timeout": 0}
    send(application, 100)
    send(application, 1)
    with application.connection_for_read() as connection:
        channel = connection.default_channel
        lost = channel.basic_get(QUEUE)
        assert '"priority_weight": 100' in json.dumps(lost.payload).replace("\\", "")
        send(application, 10)
        # What an agent's Redis transport does every few seconds.
        channel.qos.restore_visible(num=10)
        assert channel.client.hlen(channel.unacked_key) == 0
        channel.qos._delivered.clear()
    assert taken(application, 3) == [100, 10, 1]


def test_all_bands_count_to_the_length_of_the_queue(application: Celery) -> None:
    for weight in (1, 5, 20, 100):
        send(application, weight)
    with application.connection_for_read() as connection:
        assert connection.default_channel.queue_declare(QUEUE, passive=True).message_count == 4


def test_a_message_that_cannot_be_read_is_taken_last(application: Celery) -> None:
    send(application, "none")
    send(application, 1)
    send(application, 2)
    assert taken(application, 3) == [2, "none", 1]


@pytest.mark.parametrize(
    "args", [(), None, ("",), ("{",), ("[]",), ('{"ti": null}',), (b"\xff",), (7,), ("[" * 100_000,), {"a": 1}]
)
def test_no_message_makes_it_fail(args: Any) -> None:
    assert route("execute_workload", args, {}, {}) == {"priority": 9}


def test_other_tasks_are_left_alone() -> None:
    assert route("celery.backend_cleanup", (), {}, {}) is None


@pytest.mark.parametrize(("weight", "place"), [(-5, 9), (1, 9), (2, 6), (9, 6), (10, 3), (99, 3), (100, 0), (5000, 0)])
def test_bands(weight: int, place: int) -> None:
    assert band(weight) == place


@pytest.mark.parametrize(("broker", "priority"), [("redis://host", 0), ("amqp://host", 9), ("pyamqp://host", 9)])
def test_rabbitmq_counts_the_other_way(broker: str, priority: int) -> None:
    with Celery("routing", broker=broker, set_as_current=False) as application:
        task = application.task(name="execute_workload")(_nothing)
        assert route("execute_workload", (workload(100),), {}, {}, task=task) == {"priority": priority}
