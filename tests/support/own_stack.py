"""A stack that belongs to one test, beside the one that all share: for other options, and for tests that kill a lot."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from coinrequest.stack import Stack
from coinrequest.stack.options import Options
from support.platform import Platform
from support.web_stub import web_stub

# Faults are to be found within the patience of a test; everything else is as in production.
OVERRIDES = {
    "scheduler.task_instance_heartbeat_timeout": "15",
    "scheduler.task_instance_heartbeat_timeout_detection_interval": "2",
}

# Only the object that started a process may forget it without a warning.
_left_up: list[Stack] = []

# What the fixture `own_stack` is: call it with `Options`, use it as a context manager.
OwnStack = Callable[[Options], AbstractContextManager[Platform]]


@contextlib.contextmanager
def own_stack(options: Options) -> Iterator[Platform]:
    """Run a stack below a folder of its own; stop it and remove the folder when the block ends."""
    # Not below pytest's own folders: those are closed to the account that PostgreSQL runs under.
    root = Path(tempfile.mkdtemp(prefix="coinrequest-test-"))
    try:
        with running_platform(root, options) as platform:
            try:
                yield platform
            except Exception as error:
                # The logs are gone when the test's failure is shown.
                error.add_note(platform.tails())
                raise
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def running_platform(root: Path, options: Options, *, keep: bool = False) -> Iterator[Platform]:
    """Run the stack of `options` below `root`, with a web server that its jobs may ask.

    Args:
        root: an existing folder, which the account of PostgreSQL may enter.
        options: how the stack is started; the settings that tests need are added.
        keep: leave the stack up when the block ends.
    """
    root.chmod(0o711)
    stack = Stack(root / "stack")
    note = root / "web-port"
    port = int(note.read_text()) if note.exists() else 0
    with web_stub(port) as web, pytest.MonkeyPatch.context() as patch, _stop_when_terminated():
        note.write_text(str(web.port))
        for variable in [name for name in os.environ if name.startswith("COINREQUEST_")]:
            patch.delenv(variable)
        platform: Platform | None = None
        try:
            stack.up(
                replace(
                    options,
                    overrides={**OVERRIDES, **options.overrides},
                    variables={"COINREQUEST_PRICE_URL": web.url, **options.variables},
                )
            )
            patch.undo()
            platform = Platform(stack, web)
            platform.await_healthy()
            yield platform
        finally:
            if platform is not None:
                platform.close()
            if keep:
                _left_up.append(stack)
            else:
                stack.down()


class _stop_when_terminated:  # noqa: N801
    """Let SIGTERM end the session as Ctrl-C does, so that the stack is stopped."""

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._before)
