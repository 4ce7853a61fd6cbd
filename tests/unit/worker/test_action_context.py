"""What an action may use of the platform: reports of progress that cost it nothing."""

import json
import math
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.actions.context import ActionContext, Connection, ConnectionUnavailable
from coinrequest.airflow import connections
from coinrequest.airflow.task_progress import Report
from coinrequest.airflow.task_reports import FAILURE_LIMIT, MESSAGE_LIMIT, failure_entry, progress_entry
from coinrequest.worker.action_context import AirflowContext, LatestWriter

Entry = Mapping[str, Any]


class Store:
    """Takes entries, and can be waited for."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._changed = threading.Condition()

    def __call__(self, entry: Entry) -> None:
        with self._changed:
            self.entries.append(entry)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[list[Entry]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.entries), timeout=10), self.entries


class Instance:
    """Stands for the running task: it keeps what is pushed, or refuses it."""

    run_id = "0199"

    def __init__(self, refuses: bool = False) -> None:
        self.pushed: list[tuple[str, Any]] = []
        self._refuses = refuses

    def xcom_push(self, key: str, value: Any) -> None:
        if self._refuses:
            raise RuntimeError("the API server is away")
        self.pushed.append((key, value))


def test_without_a_platform_there_are_no_connections_and_reports_do_no_harm() -> None:
    context = ActionContext()
    with pytest.raises(ConnectionUnavailable, match="'shop'"):
        context.connection("shop")
    with pytest.raises(ConnectionUnavailable), context.open_database("shop"):
        pass
    context.report(1, 2, "rows")
    context.report(1)


def test_no_secret_of_a_connection_is_in_its_text() -> None:
    connection = Connection(name="shop", kind="http", password="hush-hush", options={"token": "hush-too"})
    assert "hush" not in repr(connection)


def test_the_first_report_is_stored_at_once_and_the_last_one_at_the_end() -> None:
    store = Store()
    writer = LatestWriter(store, interval=3600)
    writer.put({"done": 1})
    store.wait_for(lambda entries: entries == [{"done": 1}])
    for done in range(2, 1000):
        writer.put({"done": done})
    assert store.entries == [{"done": 1}]
    writer.close()
    assert store.entries == [{"done": 1}, {"done": 999}]


def test_the_last_report_of_an_action_that_falls_silent_is_stored_too() -> None:
    store = Store()
    writer = LatestWriter(store, interval=0.01)
    writer.put({"done": 1})
    store.wait_for(bool)
    writer.put({"done": 2})
    store.wait_for(lambda entries: entries[-1] == {"done": 2})
    writer.close()


def test_a_report_that_is_stored_is_not_stored_again_at_the_end() -> None:
    store = Store()
    writer = LatestWriter(store, interval=0.001)
    writer.put({"done": 1})
    store.wait_for(bool)
    writer.close()
    assert store.entries == [{"done": 1}]


def test_an_action_that_reports_nothing_starts_no_thread() -> None:
    before = threading.active_count()
    instance = Instance()
    with AirflowContext(instance):
        assert threading.active_count() == before
    assert instance.pushed == []


def test_after_a_report_that_could_not_be_stored_the_next_one_is_tried() -> None:
    store = Store()

    def write(entry: Entry) -> None:
        store(entry)
        if len(store.entries) == 1:
            raise RuntimeError("the API server is away")

    writer = LatestWriter(write, interval=0.001)
    writer.put({"done": 1})
    store.wait_for(bool)
    writer.put({"done": 2})
    writer.close()
    assert store.entries == [{"done": 1}, {"done": 2}]


@pytest.mark.parametrize("number", [2**64, -(10**30), 10**400, 1e22, 0.1, -0.0])
def test_any_number_can_be_reported(number: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "without_secrets", lambda text: text)
    instance = Instance()
    ActionContext().report(number, number)
    with AirflowContext(instance) as context:
        context.report(number, number)
    report = Report.read(json.loads(instance.pushed[-1][1]), datetime(2000, 1, 1, tzinfo=UTC))
    assert report is not None
    assert json.dumps([report.done, report.total]) == json.dumps([number, number])


def test_what_is_reported_is_stored_beside_the_task_and_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "without_secrets", lambda text: text.replace("hush", "***"))
    wrong: Any = object()
    instance = Instance()
    with AirflowContext(instance) as context:
        context.report(10**400)
        context.report(wrong, wrong, wrong)
        context.report(1, 2, "with hush")
    key, text = instance.pushed[-1]
    entry = json.loads(text)
    assert (key, entry["done"], entry["total"], entry["message"]) == ("coinrequest_progress", 1, 2, "with ***")
    with AirflowContext(Instance(refuses=True)) as context:
        context.report(1)


@given(st.floats() | st.integers(), st.none() | st.floats() | st.integers(), st.text(max_size=1000))
def test_an_entry_is_plain_json_whatever_is_reported(done: float, total: float | None, message: str) -> None:
    entry = progress_entry(done, total, message)
    for number in (entry["done"], entry["total"]):
        assert number is None or math.isfinite(number)
    assert len(entry["message"]) <= MESSAGE_LIMIT
    assert all(sign.isprintable() or sign.isspace() or ord(sign) > 0x9F for sign in entry["message"])
    assert "\n" not in entry["message"]
    entry["message"].encode()
    assert datetime.fromisoformat(entry["reported_at"]).utcoffset() is not None


@given(st.text(max_size=3 * FAILURE_LIMIT), st.integers(min_value=1, max_value=99))
def test_a_failure_is_short_text_that_every_database_stores(text: str, attempt: int) -> None:
    entry = failure_entry(text, attempt)
    assert entry["attempt"] == attempt
    assert len(entry["text"]) <= FAILURE_LIMIT
    assert "\x00" not in entry["text"]
    entry["text"].encode()
