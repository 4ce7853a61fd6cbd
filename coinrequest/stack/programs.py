"""The description of one supervised process, and the running process."""

import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from coinrequest.stack.account import CALLER, Account
from coinrequest.stack.log_lines import last_lines
from coinrequest.stack.processes import Identity, identify, kill_session

_LOG_LIMIT = 20 * 1024 * 1024


@dataclass(frozen=True)
class Program:
    """How to start a process, know that it works, and stop it.

    Attributes:
        name: its name in `status`, and of its log file.
        command: the words of the command; never a secret, which every account could read.
        environment: its whole environment.
        log: where its output goes.
        is_ready: asked repeatedly after the start.
        stop_signal: what makes it stop in an orderly way.
        stop_timeout: seconds until it is killed.
        ready_timeout: seconds until a start counts as failed.
        account: the account that it runs under.
        needs: the processes without which a restart of this one is pointless.
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
    """One start of a program, in a session of its own so that nothing it starts can escape."""

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
        """Its process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code (negative: the number of the signal that ended it), or None while it runs."""
        return self._process.poll()

    def tail(self, count: int = 20) -> list[str]:
        """Return its last log lines."""
        return last_lines(self.program.log, count, self.log_start)

    def logged(self, text: str) -> bool:
        """Say whether it has written `text` since it was started."""
        with self.program.log.open("rb") as log:
            log.seek(self.log_start)
            return text.encode() in log.read()

    def stop(self, timeout: float | None = None) -> int:
        """Stop it and all that it started; return the exit code."""
        if self.poll() is None:
            self._process.send_signal(self.program.stop_signal)
            try:
                self._process.wait(self.program.stop_timeout if timeout is None else timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
        code = self._process.wait()
        self.kill_remains()
        return code

    def kill_remains(self) -> None:
        """Kill what the process left behind when it ended."""
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
