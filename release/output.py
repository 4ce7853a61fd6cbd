"""The output of a release: on the terminal and, with everything that commands write, in a log file."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True)
class _Step:
    title: str
    outcome: str
    seconds: float | None


class Output:
    """Writes lines to the terminal and to a log file, and times the steps.

    Args:
        stream: the terminal.
        clock: a monotonic time in seconds.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stdout
        self._clock = clock
        self._steps: list[_Step] = []
        self._log: TextIO | None = None

    @contextmanager
    def log_to(self, path: Path) -> Iterator[None]:
        """Write every line also to a file that only its owner can read."""
        create_private(path)
        with path.open("a", encoding="utf-8") as self._log:
            try:
                yield
            finally:
                self._log = None

    def line(self, text: str = "") -> None:
        """Write one line. A lost terminal does not end a release: the log has all lines."""
        with contextlib.suppress(OSError):
            self._stream.write(text + "\n")
            self._stream.flush()
        if self._log:
            self._log.write(text + "\n")
            self._log.flush()

    def detail(self, text: str) -> None:
        """Write one line below the command that it belongs to."""
        self.line(f"      {text}")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show the start of a step, its outcome and its duration."""
        self.line(f"==> {title}")
        began = self._clock()
        outcome = "FAILED"
        try:
            yield
            outcome = "done"
        finally:
            seconds = self._clock() - began
            self._steps.append(_Step(title, outcome, seconds))
            self.line(f"    {outcome} after {seconds:.1f} s")

    def skip(self, title: str) -> None:
        """Note a step that is skipped."""
        self._steps.append(_Step(title, "SKIPPED", None))
        self.line(f"==> {title}: skipped")

    def summary(self) -> None:
        """Show every step again, with its outcome and its duration."""
        self.line()
        for step in self._steps:
            seconds = "" if step.seconds is None else f"{step.seconds:8.1f} s"
            self.line(f"  {step.outcome:<8}{seconds:>11}  {step.title}")


def create_private(path: Path) -> None:
    """Create a file that only its owner can read, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
