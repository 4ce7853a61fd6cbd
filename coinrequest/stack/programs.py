"""A program that the supervisor runs, and its running process."""

import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from coinrequest.limits import MEBIBYTE
from coinrequest.stack.account import CALLER, Account
from coinrequest.stack.log_lines import last_lines
from coinrequest.stack.processes import Identity, identify, kill_session

_LOG_LIMIT = 20 * MEBIBYTE


@dataclass(frozen=True)
class Program:
    """How to start a process, check that it is ready, and stop it.

    Attributes:
        name: its name in `status` and of its log file.
        command: the program and its arguments; never a secret, since every account can read them.
        environment: its whole environment.
        log: the file for its output.
        is_ready: called repeatedly after the start until it returns True.
        stop_signal: the signal that makes it stop gracefully.
        stop_timeout: seconds after that signal until it is killed.
        ready_timeout: seconds after which a start has failed.
        account: the account that it runs under.
        needs: the processes that must be running before it is restarted.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    is_ready: Callable[["Child"], bool] = lambda child: True
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout: float = 10.0
    ready_timeout: float = 120.0
    account: Account = CALLER
    needs: tuple[str, ...] = ()


class Child:
    """A running program, in a session of its own, so that its children can be found."""

    def __init__(self, program: Program) -> None:
        self.program = program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        _rotate(program.log)
        with program.log.open("ab") as log:
            self.log_start = log.tell()
            self._process = _launch(program, log)
        self.identity: Identity = identify(self._process.pid)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, which is the negative number of a signal that ended it; None while it is running."""
        return self._process.poll()

    def tail(self, count: int = 20) -> list[str]:
        """Return up to `count` of its last log lines."""
        return last_lines(self.program.log, count, self.log_start)

    def logged(self, text: str) -> bool:
        """Return whether it has logged `text` since it was started."""
        with self.program.log.open("rb") as log:
            log.seek(self.log_start)
            return text.encode() in log.read()

    def stop(self, timeout: float | None = None) -> int:
        """Stop it and its children; return the exit code."""
        if self.poll() is None:
            self._process.send_signal(self.program.stop_signal)
            try:
                self._process.wait(self.program.stop_timeout if timeout is None else timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
        code = self._process.wait()
        self.kill_children()
        return code

    def kill_children(self) -> None:
        """Kill the processes that it has started and that are still running."""
        kill_session(self.identity.pid)


def _launch(program: Program, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*program.account.prefix, *program.command],
        env=dict(program.environment),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd="/",
        start_new_session=True,
        **program.account.popen_options(),
    )


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
