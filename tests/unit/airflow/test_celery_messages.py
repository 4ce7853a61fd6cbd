"""Messages that lie in the broker, over a real Redis and Celery's own sending."""

from collections.abc import Iterator

import pytest
from celery import Celery
from support.redis_server import redis_server

from coinrequest.airflow import celery_messages


@pytest.fixture
def application() -> Iterator[Celery]:
    with redis_server() as socket, Celery("messages", broker=f"redis+socket://{socket}", set_as_current=False) as made:
        yield made


def send(application: Celery, queue: str, count: int, priority: int = 9) -> list[str]:
    return [application.send_task("nothing", queue=queue, priority=priority).id for _ in range(count)]


def test_what_lies_in_any_band_of_a_queue_is_found(application: Celery) -> None:
    ids = [*send(application, "one", 3), *send(application, "one", 2, priority=0), *send(application, "two", 1)]
    asked = {**dict.fromkeys(ids[:5], "one"), ids[5]: "two", "nobody's": "one", "elsewhere": "nowhere"}
    with application.connection_for_write() as connection:
        assert celery_messages.waiting(connection, asked) == set(ids)


def test_a_long_queue_is_read_whole(application: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery_messages, "_PAGE", 7)
    ids = send(application, "one", 30)
    with application.connection_for_write() as connection:
        assert celery_messages.waiting(connection, dict.fromkeys(ids, "one")) == set(ids)


def test_what_is_removed_is_not_taken_by_anybody(application: Celery) -> None:
    ids = send(application, "one", 4)
    with application.connection_for_write() as connection:
        connection.default_channel.client.lpush("one", b"no message of Celery")
        celery_messages.remove(connection, {ids[1]: "one", ids[3]: "one", "unknown": "one"})
        assert celery_messages.waiting(connection, dict.fromkeys(ids, "one")) == {ids[0], ids[2]}
