"""One running stack for all tests that need one.

It has folders and ports of its own, so that it may run beside any other. A person who works on these tests can keep
it up between runs: `COINREQUEST_TEST_STACK=/some/folder make test` uses the stack in that folder, starts it if it is
down, and leaves it up.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.documents import new_name
from support.platform import AGENTS, SLOTS, Platform
from support.web_stub import web_stub

from coinrequest.stack import Stack
from coinrequest.stack.options import Options

_KEEP = "COINREQUEST_TEST_STACK"

# Faults are to be found within the patience of a test; everything else is as in production.
_OVERRIDES = {
    "scheduler.task_instance_heartbeat_timeout": "15",
    "scheduler.task_instance_heartbeat_timeout_detection_interval": "2",
}
_running: list[Platform] = []
_left_up: list[Stack] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the stack, and run it last: what is quick to fail fails first."""
    for item in items:
        if "platform" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)
    items.sort(key=lambda item: item.get_closest_marker("stack") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show the ends of the logs with a test that failed on the stack."""
    report = yield
    if report.failed and _running and "platform" in getattr(item, "fixturenames", ()):
        report.sections.append(("logs of the stack", _running[0].tails()))
    return report


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The running stack. A test that breaks something repairs it again."""
    kept = os.environ.get(_KEEP)
    # Not below pytest's own folders: those are closed to the account that PostgreSQL runs under.
    root = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="coinrequest-test-"))
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o711)
    stack = Stack(root / "stack")
    note = root / "web-port"
    port = int(note.read_text()) if note.exists() else 0
    with web_stub(port) as web, pytest.MonkeyPatch.context() as patch, _stop_when_terminated():
        note.write_text(str(web.port))
        for variable in [name for name in os.environ if name.startswith("COINREQUEST_")]:
            patch.delenv(variable)
        patch.setenv("COINREQUEST_PRICE_URL", web.url)
        running: Platform | None = None
        try:
            stack.up(Options(agents=len(AGENTS), concurrency=SLOTS, overrides=_OVERRIDES))
            patch.undo()
            running = Platform(stack, web)
            _running.append(running)
            running.await_healthy()
            yield running
        finally:
            _running.clear()
            if running is not None:
                running.close()
            if kept:
                _left_up.append(stack)
            else:
                stack.down()
                shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return new_name()


class _stop_when_terminated:  # noqa: N801
    """Let SIGTERM end the session as Ctrl-C does, so that the stack is stopped."""

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._before)
