"""How the operator runs an action: its context, its failures and its end."""

import contextvars
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field

from coinrequest.actions import catalogue
from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.actions.context import ConnectionUnavailable


class Nothing(ActionModel):
    count: int = Field(default=1, le=5, description="how often")


class TooSlow(ActionFailed):
    """It took too long."""


class Try(Action[Nothing, Nothing]):
    """Does what the test says."""

    name: ClassVar[str] = "test.try"
    summary: ClassVar[str] = "Do what the test says"
    Inputs: ClassVar[type[BaseModel]] = Nothing
    Result: ClassVar[type[BaseModel]] = Nothing
    does: ClassVar[Callable[["Try"], None]] = lambda _: None
    reason: ClassVar[str | None] = None
    stopped: ClassVar[int] = 0

    @classmethod
    def unavailable(cls) -> str | None:
        return cls.reason

    def run(self, inputs: Nothing) -> Nothing:
        type(self).does(self)
        return inputs

    def stop(self) -> None:
        type(self).stopped += 1


class Instance:
    """Stands for the running task, of which this is the second attempt."""

    run_id = "r"
    try_number = 2

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@pytest.fixture
def action(monkeypatch: pytest.MonkeyPatch) -> type[Try]:
    found = type("One", (Try,), {})
    monkeypatch.setattr(catalogue, "find_action", lambda _name: found)
    return found


def execute(operator: Any, instance: Instance) -> Any:
    """Run a task's `execute` as Airflow's task runner does."""
    from airflow.sdk.bases.operator import ExecutorSafeguard

    run = SimpleNamespace(run_id="r", dag_id="d", run_after=datetime(2026, 3, 1, tzinfo=UTC))
    around = contextvars.copy_context()
    around.run(ExecutorSafeguard.tracker.set, operator)
    return around.run(operator.execute, {"dag_run": run, "ti": instance, "params": {}})


def operator(**inputs: Any) -> Any:
    from coinrequest.worker.operator import ActionOperator

    return ActionOperator(
        task_id="try", action="test.try", inputs=inputs, execution_timeout=timedelta(seconds=90), retries=0
    )


def failure_of(task: Any) -> str:
    """Return the reason that a failing task stores."""
    instance = Instance()
    with pytest.raises(BaseException):  # noqa: B017, PT011 - it re-raises any error
        execute(task, instance)
    entry = instance.pushed.pop("coinrequest_failure")
    assert entry["attempt"] == 2
    return str(entry["text"])


def raising(error: BaseException) -> Callable[[Try], None]:
    def does(_: Try) -> None:
        raise error

    return does


def test_the_result_is_plain_data_and_the_reports_are_stored(action: type[Try]) -> None:
    action.does = lambda self: self.context.report(1, 2, "rows")
    instance = Instance()
    assert execute(operator(count=3), instance) is None
    entry = json.loads(instance.pushed["coinrequest_progress"])
    assert (entry["done"], entry["total"], entry["message"]) == (1, 2, "rows")
    assert instance.pushed.keys() == {"coinrequest_progress", "return_value"}
    assert instance.pushed["return_value"] == '{"count": 3}'


def test_the_last_report_is_stored_if_the_action_fails(action: type[Try]) -> None:
    def does(self: Try) -> None:
        for done in range(50):
            self.context.report(done, 100)
        raise TooSlow("no answer within 10 seconds")

    action.does = does
    instance = Instance()
    with pytest.raises(TooSlow):
        execute(operator(), instance)
    assert json.loads(instance.pushed["coinrequest_progress"])["done"] == 49
    assert instance.pushed["coinrequest_failure"]["text"] == "no answer within 10 seconds"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TooSlow("no answer within 10 seconds"), "no answer within 10 seconds"),
        (ConnectionUnavailable("there is no connection 'shop'"), "there is no connection 'shop'"),
        (TooSlow(), "TooSlow"),
        (KeyError("rate"), "KeyError: 'rate'"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (OSError("a\x00b\x1b[31m"), "OSError: a b [31m"),
        (TooSlow("é" * 3000), "é" * 1999 + "…"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_reason_of_a_failure_is_stored(action: type[Try], error: BaseException, text: str) -> None:
    action.does = raising(error)
    assert failure_of(operator()) == text


class AnyPlace(ActionFailed):
    """It has half of a surrogate pair in its text, whatever its arguments are."""

    def __str__(self) -> str:
        return "nothing at \ud83d"


def caused() -> BaseException:
    error = TooSlow("no answer")
    error.__cause__ = OSError(2, "No such file", "caf\udce9")
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AnyPlace("x"), "nothing at \ufffd"),
        (KeyError("\ud83d"), "'\\ud83d'"),
        (OSError(2, "No such file", "caf\udce9"), "[Errno 2] No such file: 'caf\\udce9'"),
        (caused(), "no answer"),
        (ValueError("a\x00\ud83d"), "ValueError: a\ufffd\ufffd"),
    ],
    ids=["any text", "a key", "a file", "the cause", "an argument"],
)
def test_an_error_with_any_text_can_be_logged(action: type[Try], error: BaseException, text: str) -> None:
    import structlog
    from airflow.sdk._shared.logging.structlog import structlog_processors

    action.does = raising(error)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - it is any error
        execute(operator(), Instance())
    shared, render, _ = structlog_processors(json_output=True)
    event = {"event": "Task failed with exception", "exc_info": raised.value}
    for process in (*shared, render):
        event = process(structlog.get_logger(), "error", event)
    assert text in json.loads(str(event))["exception"][0]["exc_value"]


def test_a_task_that_exceeds_its_time_limit_stops_the_action(action: type[Try]) -> None:
    from airflow.sdk.exceptions import AirflowTaskTimeout

    action.does = raising(AirflowTaskTimeout("Timeout, PID: 7"))
    task = operator()
    assert failure_of(task) == "it was not done within its timeout of 1m30s"
    # Airflow calls this next.
    task.on_kill()
    assert action.stopped == 1


def test_only_a_running_action_is_stopped(action: type[Try]) -> None:
    task = operator()
    task.on_kill()
    execute(task, Instance())
    task.on_kill()
    assert action.stopped == 0


def test_all_invalid_inputs_are_named(action: type[Try]) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    task = operator(count=6, cout=1)
    assert failure_of(task) == (
        "the inputs of test.try do not fit: inputs.count: must be at most 5; "
        "inputs.cout: there is no field 'cout'; did you mean 'count'?"
    )
    with pytest.raises(AirflowFailException):
        execute(task, Instance())


def test_a_reference_that_leads_nowhere_says_where(action: type[Try]) -> None:
    assert failure_of(operator(count="{{ params.count }}")).startswith("{{ params.count }} cannot be resolved: ")


def test_an_action_that_the_agent_lacks_names_the_agent_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    from airflow.sdk.exceptions import AirflowFailException

    monkeypatch.setattr(socket, "gethostname", lambda: "host-a")
    assert failure_of(operator()) == (
        "the agent on 'host-a' has no action 'test.try'; an administrator installs its package on every agent of the "
        "queue"
    )
    with pytest.raises(Exception, match="has no action") as raised:
        execute(operator(), Instance())
    # Another agent may have it, so the task is tried again if it has retries.
    assert not isinstance(raised.value, AirflowFailException)


def test_a_failure_after_the_work_is_not_tried_again(action: type[Try]) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    error = TooSlow("the answer has no id")
    error.work_done = True
    action.does = raising(error)
    assert failure_of(operator()) == ("the answer has no id. The work itself is done, so it is not tried again")
    with pytest.raises(AirflowFailException):
        execute(operator(), Instance())


def test_the_failure_of_a_disabled_action_names_the_remedy(action: type[Try]) -> None:
    action.reason = "test.try is switched off; an administrator sets TRY=1"
    assert failure_of(operator()) == action.reason


def test_items_that_are_no_list_fail() -> None:
    from coinrequest.worker.operator import ItemsOperator

    task = ItemsOperator(task_id="try.items", items="{{ job.id }}", limit=1000)
    assert failure_of(task) == "for_each: {{ job.id }} is text, not a list"


def test_no_secret_that_the_task_has_read_is_in_the_reason(action: type[Try], monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cr3t-and/long"
    monkeypatch.setenv(
        "AIRFLOW_CONN_SHOP",
        f'{{"conn_type": "http", "password": "{secret}", "extra": {{"api_key": "key-of-the-shop"}}}}',
    )

    def does(self: Try) -> None:
        connection = self.context.connection("shop")
        assert connection.password == secret
        self.context.report(1, message=f"with {connection.password}")
        raise TooSlow(f"{secret} s3cr3t-and%2Flong {connection.options['api_key']} are not welcome")

    action.does = does
    assert failure_of(operator()) == "*** *** *** are not welcome"


def test_a_failure_that_cannot_be_stored_fails_as_itself(action: type[Try], monkeypatch: pytest.MonkeyPatch) -> None:
    action.does = raising(TooSlow("no answer"))
    monkeypatch.setattr(Instance, "xcom_push", raising(OSError("the API server is away")))
    with pytest.raises(TooSlow):
        execute(operator(), Instance())
