"""Runs other programs: the one place where a release touches the world outside."""

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from release.errors import Failed, ReleaseError
from release.output import Output, create_private

_READ_TIMEOUT = 60.0
_GRACE_PERIOD = 10.0
_LINES_OF_ERROR = 15


@dataclass(frozen=True)
class Finished:
    """The exit code of a program, and what it wrote."""

    code: int
    text: str = ""
    error: str = ""


class Execute(Protocol):
    """Runs one program; tests pass another function."""

    def __call__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        stdin: str | None,
        timeout: float | None,
        show: Callable[[str], None] | None,
    ) -> Finished:
        """Run a program to its end.

        Args:
            argv: the program and its arguments.
            environment: variables in addition to those of this process.
            stdin: the program's input; None: no input.
            timeout: seconds after which it is killed; None: never.
            show: gets each line of output and errors as it is written; None: the lines are only in the result.
        """


class CommandFailed(ReleaseError):
    """A program ended with an error; `code` is its exit code."""

    def __init__(self, line: str, finished: Finished) -> None:
        self.code = finished.code
        tail = "\n".join(f"    {part}" for part in finished.error.strip().splitlines()[-_LINES_OF_ERROR:])
        super().__init__(f"`{line}` ended with exit code {finished.code}" + (f":\n{tail}" if tail else ""))


class Commands:
    """Runs programs, and shows each before it starts.

    Args:
        output: shows commands and what they write.
        dry_run: show commands that would change something, and do not run them.
        execute: runs one program.
    """

    def __init__(self, output: Output, *, dry_run: bool = False, execute: Execute | None = None) -> None:
        self.output = output
        self.dry_run = dry_run
        self._execute = execute or run_process

    def run(
        self,
        *argv: str,
        environment: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float | None = None,
        comment: str = "",
    ) -> None:
        """Run a command that changes something, and show its output. Everything but `stdin` is shown: pass no secret.

        Args:
            argv, environment, stdin, timeout: see `Execute`.
            comment: says what `stdin` holds.

        Raises:
            CommandFailed: it ended with an error.
        """
        line = _shell_line(argv, environment)
        self.output.line(f"    $ {line}" + (f"  # {comment}" if comment else ""))
        if self.dry_run:
            return
        finished = self._execute(argv, environment or {}, stdin, timeout, self.output.detail)
        if finished.code:
            raise CommandFailed(line, finished)

    def read(
        self,
        *argv: str,
        environment: Mapping[str, str] | None = None,
        needed: bool = False,
        timeout: float = _READ_TIMEOUT,
    ) -> str:
        """Return the output of a command that changes nothing. It is not shown, because it may hold secrets.

        A dry run runs it as well, but this machine may not reach what would be released to: a command that fails then
        returns nothing, unless it is needed.

        Raises:
            CommandFailed: it ended with an error.
        """
        line = _shell_line(argv, environment)
        if self.dry_run:
            self.output.line(f"    $ {line}")
        finished = self._execute(argv, environment or {}, None, timeout, None)
        if not finished.code:
            return finished.text
        if self.dry_run and not needed:
            reason = (finished.error.strip().splitlines() or [f"exit code {finished.code}"])[-1]
            self.output.detail(f"(no answer here: {reason})")
            return ""
        raise CommandFailed(line, finished)

    def save(self, path: Path, text: str) -> None:
        """Write a file that only its owner can read; a dry run writes none."""
        if not self.dry_run:
            create_private(path)
            path.write_text(text, encoding="utf-8")


def run_process(
    argv: Sequence[str],
    environment: Mapping[str, str],
    stdin: str | None,
    timeout: float | None,
    show: Callable[[str], None] | None,
    grace_period: float = _GRACE_PERIOD,
) -> Finished:
    """Run a program as a child of this process; see `Execute`.

    Args:
        argv, environment, stdin, timeout, show: see `Execute`.
        grace_period: seconds that the program has to end by itself if this process is interrupted.

    Raises:
        Failed: there is no such program, or it took longer than the timeout.
    """
    try:
        process = subprocess.Popen(
            argv,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if show else subprocess.PIPE,
            text=True,
            errors="replace",
            # A group of its own: `docker compose` is two processes, `make` many, and they end together.
            start_new_session=True,
        )
    except FileNotFoundError:
        raise Failed(f"{argv[0]} is not installed here, or not on the PATH") from None
    late = threading.Event()

    def kill() -> None:
        late.set()
        _signal(process, signal.SIGKILL)

    timer = threading.Timer(timeout, kill) if timeout is not None else None
    with process:
        if timer:
            timer.start()
        try:
            finished = _follow(process, stdin, show) if show else Finished(-1, *process.communicate(stdin))
        except BaseException:
            _end(process, grace_period, show)
            raise
        finally:
            if timer:
                timer.cancel()
    if late.is_set():
        raise Failed(f"`{shlex.join(argv)}` was stopped: it took longer than {timeout:.0f} s")
    return replace(finished, code=process.returncode)


def _shell_line(argv: Sequence[str], environment: Mapping[str, str] | None) -> str:
    variables = [f"{name}={shlex.quote(value)}" for name, value in (environment or {}).items()]
    return " ".join([*variables, shlex.join(argv)])


def _follow(process: "subprocess.Popen[str]", stdin: str | None, show: Callable[[str], None]) -> Finished:
    """Show each line as it is written; an error quotes the last ones."""
    if process.stdin:
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(stdin or "")
    last: deque[str] = deque(maxlen=_LINES_OF_ERROR)
    for line in process.stdout or ():
        last.append(line)
        show(line.rstrip("\n"))
    process.wait()
    return Finished(-1, error="".join(last))


def _end(process: "subprocess.Popen[str]", grace_period: float, show: Callable[[str], None] | None) -> None:
    """Ask a program to end, and kill it after the grace period. A pipe that nobody reads could make it hang."""
    _signal(process, signal.SIGTERM)
    timer = threading.Timer(grace_period, _signal, (process, signal.SIGKILL))
    timer.start()
    try:
        for line in process.stdout or ():
            if show:
                with contextlib.suppress(KeyboardInterrupt):
                    show(line.rstrip("\n"))
        process.wait()
    finally:
        timer.cancel()


def _signal(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
