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
from typing import Protocol

from release.errors import Failed, ReleaseError
from release.output import Output

_SECONDS_TO_READ = 60.0
_SECONDS_TO_END = 10.0
_LINES_OF_ERROR = 15


@dataclass(frozen=True)
class Finished:
    """How a program ended, and what it wrote."""

    code: int
    text: str = ""
    error: str = ""


class Execute(Protocol):
    """Runs one program; tests put another function in its place."""

    def __call__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        stdin: str | None,
        seconds: float | None,
        show: Callable[[str], None] | None,
    ) -> Finished:
        """Run a program to its end.

        Args:
            words: the program and its arguments.
            environment: variables beside those of this process.
            stdin: what the program reads; None: nothing.
            seconds: after this long it is killed; None: never.
            show: gets each line as it is written, errors too; None: the lines are in the answer only.
        """


class CommandFailed(ReleaseError):
    """A program ended with an error; `code` is its exit code."""

    def __init__(self, line: str, finished: Finished) -> None:
        self.code = finished.code
        tail = "\n".join(f"    {part}" for part in finished.error.strip().splitlines()[-_LINES_OF_ERROR:])
        super().__init__(f"`{line}` ended with exit code {finished.code}" + (f":\n{tail}" if tail else ""))


class Commands:
    """Runs programs, showing each before it starts.

    Args:
        output: where commands and what they write are shown.
        dry_run: show what would change something, and do not run it.
        execute: runs one program.
    """

    def __init__(self, output: Output, *, dry_run: bool = False, execute: Execute | None = None) -> None:
        self.output = output
        self.dry_run = dry_run
        self._execute = execute or run_process

    def run(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        stdin: str | None = None,
        seconds: float | None = None,
        about: str = "",
    ) -> None:
        """Run what changes something; its output is shown. Never give it a secret: all of it is shown, but `stdin`.

        Args:
            words, environment, stdin, seconds: see `Execute`.
            about: what `stdin` holds, for people.

        Raises:
            CommandFailed: it ended with an error.
        """
        line = self._announce(words, environment, about=about)
        if self.dry_run:
            return
        finished = self._execute(words, environment or {}, stdin, seconds, self.output.detail)
        if finished.code:
            raise CommandFailed(line, finished)

    def read(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        needed: bool = False,
        seconds: float = _SECONDS_TO_READ,
    ) -> str:
        """Return what a program writes that changes nothing. It is not shown: it may hold secrets.

        In a dry run it is run as well, and one that fails is answered with nothing, unless it is needed: the machine
        at hand need not reach what would be released to.

        Raises:
            CommandFailed: it ended with an error.
        """
        line = self._announce(words, environment, quiet=not self.dry_run)
        finished = self._execute(words, environment or {}, None, seconds, None)
        if not finished.code:
            return finished.text
        if self.dry_run and not needed:
            reason = (finished.error.strip().splitlines() or [f"exit code {finished.code}"])[-1]
            self.output.detail(f"(no answer here: {reason})")
            return ""
        raise CommandFailed(line, finished)

    def _announce(
        self, words: Sequence[str], environment: Mapping[str, str] | None, quiet: bool = False, about: str = ""
    ) -> str:
        variables = [f"{name}={shlex.quote(value)}" for name, value in (environment or {}).items()]
        line = " ".join([*variables, shlex.join(words)])
        if not quiet:
            self.output.line(f"    $ {line}" + (f"  # {about}" if about else ""))
        return line


def run_process(
    words: Sequence[str],
    environment: Mapping[str, str],
    stdin: str | None,
    seconds: float | None,
    show: Callable[[str], None] | None,
    patience: float = _SECONDS_TO_END,
) -> Finished:
    """Run a program as a child of this process; see `Execute`.

    Args:
        words, environment, stdin, seconds, show: see `Execute`.
        patience: if this process is interrupted, the program has so many seconds to end by itself.

    Raises:
        Failed: there is no such program, or it took longer than `seconds`.
    """
    try:
        process = subprocess.Popen(
            words,
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
        raise Failed(f"{words[0]} is not installed here, or not on the PATH") from None
    late = threading.Event()

    def stop() -> None:
        late.set()
        _signal(process, signal.SIGKILL)

    timer = threading.Timer(seconds, stop) if seconds is not None else None
    with process:
        if timer:
            timer.start()
        try:
            finished = _follow(process, stdin, show) if show else Finished(-1, *process.communicate(stdin))
        except BaseException:
            _end(process, patience, show)
            raise
        finally:
            if timer:
                timer.cancel()
    if late.is_set():
        raise Failed(f"`{shlex.join(words)}` was stopped: it took longer than {seconds:.0f} s")
    return replace(finished, code=process.returncode)


def _follow(process: "subprocess.Popen[str]", stdin: str | None, show: Callable[[str], None]) -> Finished:
    """Show each line as it comes; the last ones are what is told of an error."""
    if process.stdin:
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(stdin or "")
    last: deque[str] = deque(maxlen=_LINES_OF_ERROR)
    for line in process.stdout or ():
        last.append(line)
        show(line.rstrip("\n"))
    process.wait()
    return Finished(-1, error="".join(last))


def _end(process: "subprocess.Popen[str]", patience: float, show: Callable[[str], None] | None) -> None:
    """End a program whose parent is interrupted: kindly, then not. What it still says is read, or it might hang."""
    _signal(process, signal.SIGTERM)
    timer = threading.Timer(patience, _signal, (process, signal.SIGKILL))
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
