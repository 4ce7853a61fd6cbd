"""Starts the processes of a stack, restarts those that crash, and stops all of them.

A process that ends unexpectedly is restarted after 1 s, then 2, 4, 8 ... 30 s. After `CRASH_LIMIT` crashes within
`CRASH_WINDOW` seconds it has failed, and is not restarted.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from coinrequest.backoff import Backoff
from coinrequest.errors import CoinrequestError
from coinrequest.stack.errors import StartFailed
from coinrequest.stack.layout import Layout
from coinrequest.stack.processes import Identity, identify, kill_marked
from coinrequest.stack.programs import Child, Program
from coinrequest.stack.state import ProcessState, ProcessStatus, StackPhase, StackStatus, Step, write_status

CRASH_LIMIT = 5
CRASH_WINDOW = 120.0
_RESTARTS = Backoff(first=1.0, longest=30.0, jitter=0.0)
_TICK = 0.1


class Stopped(CoinrequestError):
    """The supervisor was asked to stop during the start."""


class Supervisor:
    """Supervises the processes of a stack.

    Args:
        layout: the paths of the stack.
        run: the mark in the environment of all processes.
        url: the address of the web server, for the state file.
        names: the processes, in the order in which `status` shows them.
        stop_order: groups of processes in the order in which they are stopped; those of a group stop together.
    """

    def __init__(
        self, layout: Layout, run: str, url: str, names: Iterable[str], stop_order: Iterable[Iterable[str]]
    ) -> None:
        self._layout = layout
        self._run = run
        self._stop_order = [tuple(group) for group in stop_order]
        self._programs: dict[str, Program] = {}
        self._children: dict[str, Child] = {}
        self._crashes: dict[str, list[float]] = {}
        self._due: dict[str, float] = {}
        self._lock = threading.RLock()
        self._started = time.monotonic()
        self.stopping = threading.Event()
        self._status = StackStatus(
            phase=StackPhase.STARTING,
            supervisor=identify_self(),
            run=run,
            started=time.time(),
            url=url,
            processes={name: ProcessStatus(name) for name in names},
        )
        self._write()

    # -- starting ------------------------------------------------------------------------------------------

    def start(self, program: Program) -> Child:
        """Start a program and supervise it from now on, without waiting until it is ready.

        Raises:
            Stopped: the supervisor is stopping.
        """
        with self._lock:
            if self.stopping.is_set():
                raise Stopped
            self._programs[program.name] = program
            child = Child(program)
            self._children[program.name] = child
            self._due.pop(program.name, None)
            self._update(
                program.name,
                state=ProcessState.STARTING,
                pid=child.pid,
                created=child.identity.created,
                since=time.time(),
            )
            return child

    def wait_ready(self, child: Child) -> None:
        """Wait until a process is ready.

        Raises:
            StartFailed: it ended, or was not ready in time; the message has its last log lines.
            Stopped: the supervisor is stopping.
        """
        program = child.program
        deadline = time.monotonic() + program.ready_timeout
        while True:
            code = child.poll()
            if code is not None:
                raise StartFailed(f"{program.name} ended with exit code {code}. {_log_excerpt(child)}")
            if program.is_ready(child):
                break
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"{program.name} is not ready after {program.ready_timeout:.0f} s. {_log_excerpt(child)}"
                )
            if self.stopping.wait(0.2):
                raise Stopped
        with self._lock:
            if self._children.get(program.name) is child and child.poll() is None:
                self._update(program.name, state=ProcessState.RUNNING, since=time.time())

    def step(self, text: str, work: Callable[[], None]) -> None:
        """Run a step of the start, and record when it began and ended."""
        began = time.monotonic() - self._started
        work()
        with self._lock:
            done = Step(text, began, time.monotonic() - self._started)
            self._status = replace(self._status, steps=(*self._status.steps, done))
            self._write()

    def ready(self) -> None:
        """Record that the stack is up."""
        with self._lock:
            if not self.stopping.is_set():
                self._status = replace(self._status, phase=StackPhase.READY)
                self._write()

    def fail(self, error: str) -> None:
        """Record why the stack cannot start, and stop."""
        with self._lock:
            self._status = replace(self._status, error=error)
        self.stopping.set()

    # -- watching ------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Supervise the processes until `stopping` is set, then stop all of them."""
        while not self.stopping.wait(_TICK):
            self._check()
            self._handle_requests()
        self._stop_all()

    def _check(self) -> None:
        with self._lock:
            if self._status.phase is not StackPhase.READY:
                return
            now = time.monotonic()
            for name, child in list(self._children.items()):
                code = child.poll()
                if code is not None and self._status.processes[name].pid is not None:
                    self._handle_crash(name, child, code, now)
                elif name in self._due and now >= self._due[name] and self._needs_are_running(name):
                    self._count_restart(name)
                    self._start_and_wait(self._programs[name])

    def _handle_crash(self, name: str, child: Child, code: int, now: float) -> None:
        child.kill_children()
        crashes = [moment for moment in self._crashes.get(name, []) if now - moment < CRASH_WINDOW]
        if self._needs_are_running(name):
            # A crash while a needed process is down does not count: it is not the fault of this process.
            crashes.append(now)
        self._crashes[name] = crashes
        failed = len(crashes) >= CRASH_LIMIT
        if not failed:
            self._due[name] = now + _RESTARTS.delay(max(len(crashes), 1))
        self._update(
            name,
            state=ProcessState.FAILED if failed else ProcessState.CRASHED,
            pid=None,
            since=time.time(),
            exit_code=code,
            ended=time.time(),
            tail=tuple(child.tail()),
        )

    def _needs_are_running(self, name: str) -> bool:
        needs = self._programs[name].needs
        return all(self._status.processes[need].state is ProcessState.RUNNING for need in needs)

    def _count_restart(self, name: str) -> None:
        self._update(name, restarts=self._status.processes[name].restarts + 1)

    def _start_and_wait(self, program: Program) -> None:
        child = self.start(program)

        def wait() -> None:
            try:
                self.wait_ready(child)
            except StartFailed:
                # If it has ended, the next check finds out. If it hangs, stopping it makes it a crash like any other.
                if child.poll() is None:
                    child.stop()
            except Stopped:
                return

        threading.Thread(target=wait, name=f"wait-{program.name}", daemon=True).start()

    # -- commands ------------------------------------------------------------------------------------------

    def _handle_requests(self) -> None:
        for request in sorted(self._layout.commands.glob("*.json")):
            self._handle_request(request)
            request.unlink(missing_ok=True)

    def _handle_request(self, request: Path) -> None:
        try:
            command = json.loads(request.read_text())
            action, name = command["action"], command["process"]
        except (OSError, ValueError, KeyError, TypeError):
            return
        with self._lock:
            if name not in self._programs or self._status.phase is not StackPhase.READY:
                return
            if action in ("stop", "restart"):
                self._due.pop(name, None)
                code = self._children[name].stop()
                self._update(name, state=ProcessState.STOPPED, pid=None, since=time.time(), exit_code=code)
            if action in ("start", "restart") and self._children[name].poll() is not None:
                self._crashes.pop(name, None)
                self._start_and_wait(self._programs[name])

    # -- stopping ------------------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        with self._lock:
            failed = bool(self._status.error)
            self._status = replace(self._status, phase=StackPhase.STOPPING)
            self._write()
        for group in self._stop_order:
            stops = [threading.Thread(target=self._stop, args=(name,)) for name in group if name in self._children]
            for thread in stops:
                thread.start()
            for thread in stops:
                thread.join()
        kill_marked(self._run)
        with self._lock:
            phase = StackPhase.FAILED if failed else StackPhase.STOPPED
            self._status = replace(self._status, phase=phase)
            self._write()

    def _stop(self, name: str) -> None:
        child = self._children[name]
        ended = child.poll() is not None
        code = child.stop()
        with self._lock:
            tail = tuple(child.tail()) if ended else self._status.processes[name].tail
            self._update(name, state=ProcessState.STOPPED, pid=None, since=time.time(), exit_code=code, tail=tail)

    # -- state ---------------------------------------------------------------------------------------------

    def _update(self, name: str, **changes: object) -> None:
        processes = dict(self._status.processes)
        processes[name] = replace(processes.get(name, ProcessStatus(name)), **changes)  # type: ignore[arg-type]
        self._status = replace(self._status, processes=processes)
        self._write()

    def _write(self) -> None:
        write_status(self._layout, self._status)


def stop_on_signals(supervisor: Supervisor) -> None:
    """Let SIGTERM and SIGINT stop the supervisor gracefully, and ignore that the terminal is closed (SIGHUP)."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stopping.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def identify_self() -> Identity:
    """Return the identity of this process."""
    return identify(os.getpid())


def _log_excerpt(child: Child) -> str:
    lines = "\n".join(f"    {line}" for line in child.tail())
    return (
        f"Its last log lines ({child.program.log}):\n{lines}" if lines else f"It logged nothing ({child.program.log})."
    )
