"""What a listener has been told, and is not told twice."""

import base64
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from coinrequest.airflow.runs import TaskState
from coinrequest.airflow.task_progress import Report, RunningTask
from coinrequest.jobs.event_cursor import LONGEST_ID, Snapshot, Told


def task(state: str | None, attempt: int = 1, *, name: str = "wait", index: int | None = None) -> TaskState:
    return TaskState(name, index, state, attempt, None, None)


def news(told: Told, snapshot: Snapshot) -> list[Any]:
    return list(told.tell(snapshot))


def test_the_end_comes_after_the_tasks_and_all_else_before_them() -> None:
    told = Told()
    assert news(told, Snapshot("queued", (task(None, 0),))) == ["queued"]
    assert news(told, Snapshot("running", (task("running"),))) == ["running", task("running")]
    assert news(told, Snapshot("success", (task("success"),))) == [task("success"), "success"]
    assert told.done


def test_nothing_is_told_twice() -> None:
    told, snapshot = Told(), Snapshot("running", (task("running"), task(None, 0, name="later")))
    assert len(news(told, snapshot)) == 2
    assert news(told, snapshot) == []


def test_another_attempt_is_news() -> None:
    told = Told()
    news(told, Snapshot("running", (task("up_for_retry"),)))
    assert news(told, Snapshot("running", (task("up_for_retry", 2),))) == [task("up_for_retry", 2)]


def test_a_job_that_is_retried_is_queued_again() -> None:
    told = Told()
    news(told, Snapshot("failed", (task("failed"),)))
    assert news(told, Snapshot("queued", (task(None),))) == ["queued", task(None)]


def test_what_a_running_task_reports_is_told_once_and_again_to_whoever_comes_back() -> None:
    first, second = (Report(done, 10, "rows", datetime(2026, 3, 1, tzinfo=UTC)) for done in (1, 2))
    told = Told()
    begun = replace(task("running"), report=first)
    assert news(told, Snapshot("running", (begun,))) == ["running", begun, RunningTask("wait", None, first)]
    assert news(told, Snapshot("running", (begun,))) == []
    further = Snapshot("running", (replace(begun, report=second),))
    assert news(told, further) == [RunningTask("wait", None, second)]
    assert news(Told.read(told.id()), further) == [RunningTask("wait", None, second)]


def test_whoever_comes_back_at_any_event_is_told_exactly_the_rest() -> None:
    items = tuple(task("success", index=index) for index in range(5))
    snapshot = Snapshot("success", (*items, task("success", name="x")))
    told, ids, all_news = Told(), [], []
    for new in told.tell(snapshot):
        ids.append(told.id())
        all_news.append(new)
    for position, text in enumerate(ids, start=1):
        assert news(Told.read(text), snapshot) == all_news[position:]


def test_an_id_fits_a_header_however_large_the_job_is() -> None:
    told = Told()
    news(told, Snapshot("running", tuple(task("running", attempt=1 + i % 7, name=f"t{i}") for i in range(5000))))
    text = told.id()
    assert len(text) <= LONGEST_ID
    assert text.isascii()
    assert text.isprintable()
    assert Told.read(text).state == "running"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "3",
        "é",
        "a" * 8000,
        base64.urlsafe_b64encode(zlib.compress(b"{}")).decode(),
        base64.urlsafe_b64encode(zlib.compress(b'["asleep"]')).decode(),
        base64.urlsafe_b64encode(zlib.compress(b'["running",3]')).decode(),
        base64.urlsafe_b64encode(zlib.compress(b'["running",["a"]]')).decode(),
        base64.urlsafe_b64encode(zlib.compress(b'[["running"]]')).decode(),
        base64.urlsafe_b64encode(zlib.compress(b"[" * 100_000)).decode(),
        base64.urlsafe_b64encode(zlib.compress(b" " * 50_000_000)).decode(),
    ],
)
def test_an_id_that_is_not_ours_says_nothing(text: str | None) -> None:
    assert Told.read(text) == Told()
