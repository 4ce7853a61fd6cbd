"""Every role may send notifications: one that an agent forges only makes a gateway query the database."""

import os
import threading
from typing import Any

import pytest
from support.databases import as_superuser, connected, reader_url

pytestmark = pytest.mark.security

FORGED = (
    "",
    "success",
    "nobody success",
    "'; DROP TABLE dag_run; -- failed",
    "\u2028 cancelled",
    "x" * 7990 + " success",
)


def test_a_forged_notification_only_makes_a_gateway_query_the_database(
    airflow_app: Any, tables_unchanged: None
) -> None:
    from coinrequest.gateway.listener import listen

    heard, stop = threading.Semaphore(0), threading.Event()
    url = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    thread = threading.Thread(target=listen, args=(url, heard.release, stop))
    thread.start()
    try:
        assert heard.acquire(timeout=20), "each new connection counts as news"
        with connected(reader_url()) as connection:
            for payload in FORGED:
                connection.exec_driver_sql("SELECT pg_notify('coinrequest_job', %s)", (payload,))
        for _ in [one for one in FORGED if one.endswith(("success", "failed", "cancelled"))]:
            assert heard.acquire(timeout=10)
        assert not heard.acquire(blocking=False)
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(10)


def test_notifications_contain_only_ids_and_states(airflow_app: Any) -> None:
    """An agent may listen too."""
    functions = as_superuser("SELECT prosrc FROM pg_proc WHERE proname LIKE 'coinrequest%'", database="airflow")
    said = [line.strip() for (source,) in functions for line in source.splitlines() if "pg_notify(" in line]
    assert said == [
        "PERFORM pg_catalog.pg_notify('coinrequest_job', known.id::text || ' queued');",
        "PERFORM pg_catalog.pg_notify('coinrequest_job', known.id::text || ' ' || new_state);",
    ]
