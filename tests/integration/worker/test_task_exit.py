"""How the process of a task ended is stored beside the task: Airflow's supervisor calls what is replaced for that."""

import os
import signal
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from uuid6 import uuid7

from coinrequest.airflow.task_reports import FAILURE

# Airflow's supervisor leaves its sockets to the end of its process.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

HOST = socket.gethostname()


class Client:
    """Stands for the web server: it lets the task start, and keeps its reports and its state."""

    def __init__(self, stored: Any = None) -> None:
        self.stored = stored
        self.states: list[str] = []
        self.task_instances = SimpleNamespace(start=self._start, finish=self._finish, heartbeat=self._heartbeat)
        self.xcoms = SimpleNamespace(get=self._get, set=self._set)

    def _start(self, *_: Any) -> Any:
        from airflow.sdk.api.datamodels import _generated

        context: Any = _generated.TIRunContext
        return context.model_construct(should_retry=False, start_date=None)

    def _heartbeat(self, *_: Any, **__: Any) -> None:
        pass

    def _finish(self, *, state: Any, **_: Any) -> None:
        self.states.append(state.value)

    def _get(self, *key: Any) -> Any:
        assert key == ("d", "r", "t", FAILURE, 3)
        return SimpleNamespace(value=self.stored)

    def _set(self, *entry: Any) -> None:
        assert (*entry[:4], entry[5]) == ("d", "r", "t", FAILURE, 3)
        self.stored = entry[4]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the method as the agent does, for this test only."""
    from airflow.sdk.execution_time import supervisor

    from coinrequest.worker import task_exit

    process = supervisor.ActivitySubprocess
    monkeypatch.setattr(process, "update_task_state_if_needed", process.update_task_state_if_needed)
    # The supervisor may see that a process has closed its sockets, but only at its next look that it has ended.
    monkeypatch.setattr(supervisor, "MIN_HEARTBEAT_INTERVAL", 0.1)
    task_exit.install()


def supervise(client: Any, target: Callable[[], None]) -> int:
    """Let Airflow's supervisor run a process in place of a task's; return its exit code."""
    from airflow.sdk.api.datamodels._generated import TaskInstance
    from airflow.sdk.execution_time import supervisor

    task = TaskInstance(
        id=uuid7(), dag_version_id=uuid7(), dag_id="d", run_id="r", task_id="t", try_number=2, map_index=3
    )
    process = supervisor.ActivitySubprocess.start(
        what=task, dag_rel_path="d.py", bundle_info=None, client=client, target=target
    )
    return process.wait()


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def terminated() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("target", "code", "text"),
    [
        (killed, -9, f"its process on the agent {HOST!r} was killed (SIGKILL); the agent may have run out of memory"),
        (terminated, -15, f"its process on the agent {HOST!r} was ended by SIGTERM"),
        (lambda: os._exit(7), 7, f"its process on the agent {HOST!r} ended with exit code 7 before the task was done"),
    ],
    ids=["killed", "terminated", "exited"],
)
def test_the_end_of_a_process_is_stored_with_its_attempt(target: Callable[[], None], code: int, text: str) -> None:
    client = Client()
    assert supervise(client, target) == code
    assert client.stored == {"text": text, "attempt": 2}
    assert client.states == ["failed"]


def test_a_reason_that_the_task_stored_itself_is_kept() -> None:
    client = Client({"text": "no rate", "attempt": 2})
    supervise(client, killed)
    assert client.stored == {"text": "no rate", "attempt": 2}


def test_a_process_that_ends_well_has_no_failure() -> None:
    client = Client()
    assert supervise(client, lambda: os._exit(0)) == 0
    assert client.stored is None
