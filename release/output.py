"""What a release tells: on the terminal and, with what every command wrote, in a log file."""

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
    """Writes lines to the terminal and to a log file, and measures the steps.

    Args:
        stream: the terminal.
        clock: the time in seconds, from any moment on.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stdout
        self._clock = clock
        self._steps: list[_Step] = []
        self._log: TextIO | None = None

    @contextmanager
    def log_to(self, path: Path) -> Iterator[None]:
        """Write every line to a file as well, which only its owner can read."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        with path.open("a", encoding="utf-8") as self._log:
            try:
                yield
            finally:
                self._log = None

    def line(self, text: str = "") -> None:
        """Write one line. A terminal that is gone does not end a release; the log has the rest."""
        with contextlib.suppress(OSError):
            self._stream.write(text + "\n")
            self._stream.flush()
        if self._log:
            self._log.write(text + "\n")
            self._log.flush()

    def detail(self, text: str) -> None:
        """Write one line of what a command wrote."""
        self.line(f"      {text}")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show the beginning of a step, its end and the seconds in between."""
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
        """Note a step that is not done."""
        self._steps.append(_Step(title, "SKIPPED", None))
        self.line(f"==> {title}: skipped")

    def summary(self) -> None:
        """Show every step again, with its outcome and its seconds."""
        self.line()
        for step in self._steps:
            seconds = "" if step.seconds is None else f"{step.seconds:8.1f} s"
            self.line(f"  {step.outcome:<8}{seconds:>11}  {step.title}")
