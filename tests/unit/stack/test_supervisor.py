import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from coinrequest.stack import StartFailed
from coinrequest.stack.cleanup import stop_orphans
from coinrequest.stack.command import describe
from coinrequest.stack.layout import Layout
from coinrequest.stack.processes import RUN_VARIABLE, Identity, identify, is_alive, session_members
from coinrequest.stack.programs import Child, Program
from coinrequest.stack.state import ProcessState, ProcessStatus, StackPhase, read_status, write_status
from coinrequest.stack.supervisor import Supervisor

SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
# Starts a child in a process group of its own, as Airflow does for a task, and one more that outlives its parent.
FAMILY = (
    "import subprocess, sys, time\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], process_group=0)\n"
    "print('ready', flush=True)\n"
    "time.sleep(60)\n"
)


class Watched:
    """A supervisor that watches in a thread, as the daemon does in its main thread."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.layout.create()
        self.run = uuid4().hex
        self.supervisor = Supervisor(self.layout, self.run, "http://127.0.0.1:1", ["worker"], [["worker"]])
        self.thread = threading.Thread(target=self.supervisor.watch)
        self.thread.start()

    def program(self, code: str, is_ready: Callable[[Child], bool] = lambda child: child.logged("ready")) -> Program:
        return Program(
            name="worker",
            command=(sys.executable, "-c", code),
            environment={**os.environ, RUN_VARIABLE: self.run},
            log=self.layout.log("worker"),
            is_ready=is_ready,
            stop_timeout=5.0,
        )

    def start(self, code: str) -> Child:
        child = self.supervisor.start(self.program(code))
        self.supervisor.wait_ready(child)
        self.supervisor.ready()
        return child

    def stop(self) -> None:
        self.supervisor.stopping.set()
        self.thread.join(20)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path)
    yield watched
    watched.stop()


def wait_for(condition: Callable[[], bool], timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def test_a_running_process_is_shown_as_running(watched: Watched) -> None:
    child = watched.start(SLEEP)
    status = read_status(watched.layout)
    assert status.healthy
    assert status.processes["worker"].pid == child.pid


def test_a_crashed_process_is_shown_with_exit_code_and_log_and_restarted(watched: Watched, tmp_path: Path) -> None:
    mark = tmp_path / "crashed"
    child = watched.start(
        f"import pathlib, sys, time\nprint('ready', flush=True)\nmark = pathlib.Path({str(mark)!r})\n"
        "while mark.exists():\n    time.sleep(60)\n"
        "time.sleep(0.5); mark.touch(); print('out of luck', flush=True); sys.exit(7)"
    )
    seen: list[str] = []

    def crashed() -> bool:
        status = read_status(watched.layout)
        if status.processes["worker"].state is ProcessState.CRASHED:
            seen.extend(describe(status))
        return bool(seen)

    wait_for(crashed)
    shown = "\n".join(seen)
    assert "crashed" in shown
    assert "exit code 7" in shown
    assert "out of luck" in shown
    wait_for(lambda: read_status(watched.layout).healthy)
    process = read_status(watched.layout).processes["worker"]
    assert process.restarts == 1
    assert process.exit_code == 7
    assert process.pid != child.pid


def test_a_process_that_keeps_crashing_is_not_restarted_any_more(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coinrequest.stack.supervisor.CRASH_LIMIT", 2)
    watched.start("print('ready', flush=True); import time; time.sleep(0.3); raise SystemExit(3)")
    wait_for(lambda: read_status(watched.layout).processes["worker"].state is ProcessState.FAILED)
    status = read_status(watched.layout)
    assert not status.healthy
    assert "not restarted any more" in "\n".join(describe(status))


def test_a_killed_process_is_shown_with_the_signal(watched: Watched) -> None:
    child = watched.start(SLEEP)
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: read_status(watched.layout).processes["worker"].exit_code == -9)
    assert "signal 9" in "\n".join(describe(read_status(watched.layout)))


def test_a_process_that_ends_before_it_is_ready_is_an_error_with_its_log(watched: Watched) -> None:
    child = watched.supervisor.start(watched.program("print('no luck today'); raise SystemExit(4)"))
    with pytest.raises(StartFailed, match=r"(?s)worker ended with exit code 4.*no luck today"):
        watched.supervisor.wait_ready(child)


def test_stopping_a_process_stops_its_children(watched: Watched) -> None:
    child = watched.start(FAMILY)
    family = [identify(pid) for pid in session_members(child.pid)]
    assert len(family) == 2
    watched.stop()
    assert not any(is_alive(identity) for identity in family)
    status = read_status(watched.layout)
    assert status.phase is StackPhase.STOPPED
    assert status.processes["worker"].state is ProcessState.STOPPED


def test_the_children_of_a_crashed_process_are_killed(watched: Watched) -> None:
    child = watched.start(FAMILY)
    (orphan,) = psutil.Process(child.pid).children()
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)


def test_the_processes_of_a_killed_supervisor_are_stopped(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    child = watched.start(FAMILY)
    family = [identify(process.pid) for process in psutil.Process(child.pid).children()]
    status = read_status(watched.layout)
    dead = identify_a_dead_process()
    try:
        write_status(watched.layout, replace(status, supervisor=dead))
        abandoned = read_status(watched.layout)
        assert abandoned.phase is StackPhase.ABANDONED
        assert not abandoned.healthy
        assert "supervisor is gone" in "\n".join(describe(abandoned))
        # The supervisor must not see the crash, as one that was killed would not.
        watched.supervisor.stopping.set()
        assert stop_orphans(watched.layout, abandoned) in (0, 1)
        wait_for(lambda: not any(is_alive(identity) for identity in [child.identity, *family]))
    finally:
        watched.stop()


def test_cleaning_up_spares_another_process_with_a_reused_id(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    other = psutil.Popen([sys.executable, "-c", SLEEP], stdout=-3, start_new_session=True)
    try:
        with_wrong_start = psutil.Process(other.pid).create_time() - 100
        watched = Supervisor(layout, uuid4().hex, "", ["worker"], [])
        status = read_status(layout)
        process = ProcessStatus(name="worker", state=ProcessState.RUNNING, pid=other.pid, created=with_wrong_start)
        orphans = stop_orphans(layout, replace(status, processes={"worker": process}))
        assert orphans == 0
        assert other.is_running()
        watched.stopping.set()
    finally:
        other.kill()
        with contextlib.suppress(psutil.Error):
            other.wait()


def identify_a_dead_process() -> Identity:
    dead = psutil.Popen([sys.executable, "-c", "pass"])
    identity = identify(dead.pid)
    dead.wait()
    return identity
