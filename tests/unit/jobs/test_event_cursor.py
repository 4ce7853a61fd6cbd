"""Which events a listener gets, and that it gets none twice."""

import base64
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from coinrequest.airflow.runs import TaskState
from coinrequest.airflow.task_progress import Report, RunningTask
from coinrequest.jobs.event_cursor import LONGEST_ID, EventCursor, Snapshot

JOB = UUID("01a22825-9aa1-70c4-9e1a-16d3ce5ff72c")
OTHER = UUID("01a22825-fcbf-73ad-b099-ca169c08c9bb")


def unknown(content: str) -> str:
    """Return what looks like an id of the job."""
    return base64.urlsafe_b64encode(zlib.compress(content.replace("JOB", JOB.hex).encode())).decode()


def task(state: str | None, attempt: int = 1, *, name: str = "wait", index: int | None = None) -> TaskState:
    return TaskState(name, index, state, attempt, None, None)


def new_in(cursor: EventCursor, snapshot: Snapshot) -> list[Any]:
    return list(cursor.advance(snapshot))


def test_the_end_follows_the_tasks_and_other_states_precede_them() -> None:
    cursor = EventCursor(JOB)
    assert new_in(cursor, Snapshot("queued", (task(None, 0),))) == ["queued"]
    assert new_in(cursor, Snapshot("running", (task("running"),))) == ["running", task("running")]
    assert new_in(cursor, Snapshot("success", (task("success"),))) == [task("success"), "success"]
    assert cursor.done


def test_nothing_is_sent_twice() -> None:
    cursor, snapshot = EventCursor(JOB), Snapshot("running", (task("running"), task(None, 0, name="later")))
    assert len(new_in(cursor, snapshot)) == 2
    assert new_in(cursor, snapshot) == []


def test_another_attempt_is_new() -> None:
    cursor = EventCursor(JOB)
    new_in(cursor, Snapshot("running", (task("up_for_retry"),)))
    assert new_in(cursor, Snapshot("running", (task("up_for_retry", 2),))) == [task("up_for_retry", 2)]


def test_a_job_that_is_retried_is_queued_again() -> None:
    cursor = EventCursor(JOB)
    new_in(cursor, Snapshot("failed", (task("failed"),)))
    assert new_in(cursor, Snapshot("queued", (task(None),))) == ["queued", task(None)]


def test_a_report_is_sent_once_and_again_after_a_reconnect() -> None:
    first, second = (Report(done, 10, "rows", datetime(2026, 3, 1, tzinfo=UTC)) for done in (1, 2))
    cursor = EventCursor(JOB)
    begun = replace(task("running"), report=first)
    assert new_in(cursor, Snapshot("running", (begun,))) == ["running", begun, RunningTask("wait", None, first)]
    assert new_in(cursor, Snapshot("running", (begun,))) == []
    further = Snapshot("running", (replace(begun, report=second),))
    assert new_in(cursor, further) == [RunningTask("wait", None, second)]
    assert new_in(EventCursor.read(cursor.id(), JOB), further) == [RunningTask("wait", None, second)]


def test_a_reconnect_after_any_event_gets_exactly_the_following_ones() -> None:
    items = tuple(task("success", index=index) for index in range(5))
    snapshot = Snapshot("success", (*items, task("success", name="x")))
    cursor, ids, sent = EventCursor(JOB), [], []
    for new in cursor.advance(snapshot):
        ids.append(cursor.id())
        sent.append(new)
    for position, text in enumerate(ids, start=1):
        assert new_in(EventCursor.read(text, JOB), snapshot) == sent[position:]


def test_an_id_fits_a_header_however_large_the_job_is() -> None:
    cursor = EventCursor(JOB)
    new_in(cursor, Snapshot("running", tuple(task("running", attempt=1 + i % 7, name=f"t{i}") for i in range(5000))))
    text = cursor.id()
    assert len(text) <= LONGEST_ID
    assert text.isascii()
    assert text.isprintable()
    assert EventCursor.read(text, JOB).state == "running"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "3",
        "é",
        "a" * 8000,
        unknown("{}"),
        unknown("[]"),
        unknown('["JOB"]'),
        unknown('["JOB","asleep"]'),
        unknown('["JOB","running",3]'),
        unknown('["JOB","running",["a"]]'),
        unknown('["JOB",["running"]]'),
        unknown('["running"]'),
        unknown('[7,"running"]'),
        unknown("[" * 100_000),
        unknown(" " * 50_000_000),
    ],
)
def test_an_unknown_id_is_the_beginning(text: str | None) -> None:
    assert EventCursor.read(text, JOB) == EventCursor(JOB)


def test_an_id_of_another_job_is_the_beginning() -> None:
    cursor = EventCursor(OTHER)
    for _ in cursor.advance(Snapshot("success", (task("success"),))):
        assert EventCursor.read(cursor.id(), OTHER) == cursor
        assert EventCursor.read(cursor.id(), JOB) == EventCursor(JOB)
