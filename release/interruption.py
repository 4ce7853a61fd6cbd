"""Signals from outside."""

import signal
from types import FrameType


def handle_signals() -> None:
    """Treat SIGTERM like Ctrl-C, so that what is under way ends in order. Ignore SIGHUP, a lost connection."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
