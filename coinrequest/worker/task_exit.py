"""Records why the process of a task ended if it could not tell it itself: a signal, or memory that ran out.

Airflow's supervisor, which runs in the agent, sees how the process ended, and writes that into the log of the task
alone (Airflow 3.3.2; `tests/integration/worker/test_task_exit.py` fails when the method that is replaced here changes).
"""

import contextlib
import signal
import socket
from collections.abc import Callable
from typing import Any

from airflow.sdk.execution_time import supervisor

from coinrequest.airflow.task_reports import FAILURE, failure_entry


def record_exit(update_state: Callable[[Any], None]) -> Callable[[Any], None]:
    """Wrap the method with which a supervisor tells the web server how its task ended."""

    def recorded(process: Any) -> None:
        # A task that failed by itself, or that the web server stopped, has told its state.
        if process._exit_code and process._terminal_state is None and process._pending_terminal_state_msg is None:
            with contextlib.suppress(Exception):
                _record(process.client, process.ti, exit_text(int(process._exit_code), socket.gethostname()))
        update_state(process)

    return recorded


def exit_text(code: int, host: str) -> str:
    """Return how a process ended, as the end of a sentence.

    Args:
        code: its exit code; a negative one is the number of a signal.
        host: where it ran.
    """
    if code >= 0:
        return f"its process on the agent {host!r} ended with exit code {code} before the task was done"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    if name == "SIGKILL":
        return f"its process on the agent {host!r} was killed (SIGKILL); the agent may have run out of memory"
    return f"its process on the agent {host!r} was ended by {name}"


def _record(client: Any, ti: Any, text: str) -> None:
    place = (ti.dag_id, ti.run_id, ti.task_id, FAILURE)
    # What the task itself stored before it ended is better, and is kept.
    if client.xcoms.get(*place, ti.map_index).value is None:
        client.xcoms.set(*place, failure_entry(text, ti.try_number), ti.map_index)


def install() -> None:
    """Let every supervisor of this process record it."""
    process = supervisor.ActivitySubprocess
    process.update_task_state_if_needed = record_exit(process.update_task_state_if_needed)  # type: ignore[method-assign]
