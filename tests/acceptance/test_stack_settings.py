"""The settings of the embedded stack: kept in a file over restarts, and never dropped without a word."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from coinrequest.stack import Stack
from coinrequest.stack.state import StackPhase

pytestmark = pytest.mark.faults

PROGRAM = Path(sys.executable).parent / "coinrequest"


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    # Not below pytest's own folders: those are closed to the account that PostgreSQL runs under.
    root = Path(tempfile.mkdtemp(prefix="coinrequest-test-"))
    root.chmod(0o711)
    try:
        yield root / "stack"
    finally:
        Stack(root / "stack").down()
        shutil.rmtree(root, ignore_errors=True)


def stack(root: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run `coinrequest stack` in the environment of a person with some settings."""
    person = {name: value for name, value in os.environ.items() if not name.startswith("COINREQUEST_")}
    command = [str(PROGRAM), "stack", "--root", str(root), *words]
    return subprocess.run(command, capture_output=True, text=True, env=person | settings, timeout=300, check=False)


def share(root: Path) -> str:
    """Return the type share in the environment of a process; Airflow's hide theirs behind their titles."""
    identity = Stack(root).status().processes["gateway"].identity
    assert identity is not None
    return psutil.Process(identity.pid).environ()["COINREQUEST_TYPE_SHARE"]


def test_a_stack_keeps_the_settings_of_its_file_and_names_those_that_it_lacks(root: Path) -> None:
    root.mkdir()
    (root / "settings.env").write_text("COINREQUEST_AGENT=2\n")
    refused = stack(root, "up")
    assert refused.returncode == 1
    assert "settings.env, line 1: there is no setting COINREQUEST_AGENT; did you mean COINREQUEST_AGENTS?" in (
        refused.stderr
    )
    refused = stack(root, "up", COINREQUEST_CONCURRENCY="many")
    assert refused.returncode == 1
    assert Stack(root).status().phase is StackPhase.STOPPED

    (root / "settings.env").write_text("COINREQUEST_TYPE_SHARE=55\nCOINREQUEST_MAIL_TO=file@example.org\n")
    started = stack(root, "up", COINREQUEST_MAIL_TO="shell@example.org", COINREQUEST_TYPO="1")
    assert started.returncode == 0, started.stdout + started.stderr
    assert share(root) == "55"
    shown = stack(root, "status").stdout
    assert "COINREQUEST_TYPE_SHARE=55  (settings.env)" in shown
    assert "COINREQUEST_MAIL_TO=shell@example.org  (given at the start; the next start forgets it)" in shown

    env = (root / "env").read_text()
    (root / "env").unlink()
    again = stack(
        root, "up", COINREQUEST_MAIL_TO="shell@example.org", COINREQUEST_CHANNEL_URL="amqp://me:secret@other/"
    )
    assert again.returncode == 0
    assert "already up" in again.stdout
    assert "COINREQUEST_CHANNEL_URL: runs with nothing, asked for amqp://***@other/" in again.stderr
    assert "COINREQUEST_MAIL_TO" not in again.stderr
    assert "make down" in again.stderr
    # Of the running stack, whatever this shell asks for.
    assert (root / "env").read_text() == env

    assert stack(root, "up", COINREQUEST_MAIL_TO="shell@example.org").stderr == ""
    assert "COINREQUEST_AGENTS: runs with 1, asked for 2" in stack(root, "up", "--agents", "2").stderr

    assert stack(root, "down").returncode == 0
    assert "COINREQUEST_TYPE_SHARE=55" in stack(root, "status").stdout
    assert stack(root, "up").returncode == 0
    assert share(root) == "55"
    assert "COINREQUEST_MAIL_TO=file@example.org  (settings.env)" in stack(root, "status").stdout
