"""One running stack for all tests that need one, and the servers that stand for the world outside.

The stack has folders and ports of its own, so that it may run beside any other. A person who works on these tests can
keep it up between runs: `COINREQUEST_TEST_STACK=/some/folder make test` uses the stack in that folder, starts it if it
is down, and leaves it up.
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import own_stack as own
from support.documents import new_name
from support.lanes import LANES, STACKS, missing_tools, put_into_lanes
from support.own_stack import OwnStack, running_platform
from support.platform import AGENTS, SLOTS, Platform
from support.receiver import Receiver, webhook_receiver
from support.smtp_stub import SmtpStub, smtp_server

from coinrequest.stack.options import Options

pytest_plugins = ["support.api_fixtures"]

_KEEP = "COINREQUEST_TEST_STACK"
_running: list[Platform] = []


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say at once what the chosen lanes cannot do without and is not there."""
    chosen = set(re.findall(r"\w+", config.option.markexpr or ""))
    return missing_tools(chosen & set(LANES))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put each test into its lane, and what uses a stack last: what is quick to fail fails first."""
    put_into_lanes(items)
    items.sort(key=_stack_of)


def pytest_collection_finish() -> None:
    """Airflow reads its settings when it is first imported, and those are the ones that a fixture makes."""
    if "airflow.settings" in sys.modules:
        raise pytest.UsageError("a test module imports Airflow when it is collected; import it within the tests")


def _stack_of(item: pytest.Item) -> int:
    """Return 0 for a test without a stack, 1 for one with its own, 2 for one on the shared stack.

    They run in this order: the shared stack is there to the end, and would cost processors beside an own one.
    """
    fixtures = getattr(item, "fixturenames", ())
    return max((place for place, name in enumerate(STACKS, 1) if name in fixtures), default=0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show the ends of the logs with a test that failed on a stack."""
    report = yield
    if report.failed and _stack_of(item):
        report.sections += [(f"logs of {one.stack.layout.root}", one.tails()) for one in _running]
    return report


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The running stack. A test that breaks something repairs it again."""
    kept = os.environ.get(_KEEP)
    # Not below pytest's own folders: those are closed to the account that PostgreSQL runs under.
    root = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="coinrequest-test-"))
    root.mkdir(parents=True, exist_ok=True)
    options = Options(agents=len(AGENTS), concurrency=SLOTS)
    try:
        with running_platform(root, options, keep=bool(kept)) as running, _shown_on_failure(running):
            yield running
    finally:
        if not kept:
            shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def own_stack() -> OwnStack:
    """Starts a stack with other options: `with own_stack(Options(agents=3)) as platform: ...`."""

    @contextlib.contextmanager
    def start(options: Options) -> Iterator[Platform]:
        with own.own_stack(options) as running, _shown_on_failure(running):
            yield running

    return start


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with webhook_receiver() as stub:
        yield stub


@pytest.fixture
def smtp_stub() -> Iterator[SmtpStub]:
    """A mail server."""
    with smtp_server() as stub:
        yield stub


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return new_name()


@contextlib.contextmanager
def _shown_on_failure(running: Platform) -> Iterator[None]:
    _running.append(running)
    try:
        yield
    finally:
        _running.remove(running)
