"""A gateway is notified by the transaction that ends a job, also after it had to reconnect."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from support.waiting import eventually


@pytest.fixture
def heard(airflow_app: Any) -> Iterator[threading.Event]:
    from coinrequest.gateway.listener import listen

    event, stop = threading.Event(), threading.Event()
    url = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    thread = threading.Thread(target=listen, args=(url, event.set, stop))
    thread.start()
    assert event.wait(20), "each new connection counts as news"
    event.clear()
    yield event
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def _execute(statement: str) -> None:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        session.execute(text(statement))


def test_only_ends_of_jobs_are_reported(heard: threading.Event) -> None:
    _execute("SELECT pg_notify('coinrequest_job', 'some-id running')")
    assert not heard.wait(0.5)
    for state in ("success", "failed", "cancelled"):
        heard.clear()
        _execute(f"SELECT pg_notify('coinrequest_job', 'some-id {state}')")
        assert heard.wait(5), state


def test_a_broken_connection_is_reopened(heard: threading.Event) -> None:
    _execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%'")
    assert heard.wait(20)
    heard.clear()
    eventually(lambda: _execute("SELECT pg_notify('coinrequest_job', 'some-id success')") or heard.is_set(), timeout=20)
