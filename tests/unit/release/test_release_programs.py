"""The edge to the world: programs really run, and end."""

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from release.commands import CommandFailed, Commands, run_process
from release.errors import Failed
from release.output import Output
from release.source import ROOT


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def commands(stream: io.StringIO) -> Commands:
    return Commands(Output(stream))


def test_what_a_program_writes_is_shown_as_it_comes(commands: Commands, stream: io.StringIO) -> None:
    commands.run("sh", "-c", "echo out; echo err >&2; cat", stdin="given", environment={"WHERE": "here"})
    assert (
        stream.getvalue() == "    $ WHERE=here sh -c 'echo out; echo err >&2; cat'\n      out\n      err\n      given\n"
    )


def test_a_program_gets_the_environment_and_more(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_OUTSIDE", "1")
    assert commands.read("sh", "-c", "echo $FROM_OUTSIDE $MORE", environment={"MORE": "2"}) == "1 2\n"


def test_what_is_read_is_not_shown(commands: Commands, stream: io.StringIO) -> None:
    assert commands.read("echo", "a secret") == "a secret\n"
    assert stream.getvalue() == ""


def test_an_error_tells_the_last_lines(commands: Commands) -> None:
    with pytest.raises(CommandFailed, match=r"ended with exit code 3:\n    (.|\n)*    line 40$") as caught:
        commands.run("sh", "-c", 'for i in $(seq 40); do echo "line $i"; done; exit 3')
    assert len(str(caught.value).splitlines()) == 16
    with pytest.raises(CommandFailed, match="oops") as caught:
        commands.read("sh", "-c", "echo hidden; echo oops >&2; exit 4")
    assert "hidden\n" not in str(caught.value)


def test_a_program_that_is_not_there_is_named(commands: Commands) -> None:
    with pytest.raises(Failed, match="no-such-program is not installed here"):
        commands.run("no-such-program")


@pytest.mark.parametrize("show", [None, lambda _line: None])
def test_a_program_that_takes_too_long_is_stopped_with_its_children(show: Callable[[str], None] | None) -> None:
    with pytest.raises(Failed, match="it took longer than 0 s"):
        run_process(["sh", "-c", "sleep 60 & wait"], {}, None, 0.2, show)


def test_a_program_whose_parent_is_interrupted_ends(tmp_path: Path) -> None:
    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    script = "trap 'echo ended > \"$0\"; exit' TERM; echo begun; while :; do sleep 0.01; done"
    with pytest.raises(KeyboardInterrupt):
        run_process(["sh", "-c", script, str(tmp_path / "file")], {}, None, None, interrupt)
    assert (tmp_path / "file").read_text() == "ended\n"


def test_the_log_has_everything_and_is_its_owners_alone(
    stream: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0)
    try:
        output = Output(stream)
        with output.log_to(tmp_path / "logs" / "log"), output.step("work"):
            Commands(output).run("echo", "done")
    finally:
        os.umask(before)
    log = tmp_path / "logs" / "log"
    assert log.read_text() == stream.getvalue()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_terminal_that_is_gone_ends_no_release(tmp_path: Path) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    output = Output(Gone())
    with output.log_to(tmp_path / "log"), output.step("work"):
        Commands(output).run("echo", "done")
    assert "      done\n" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("words", [[], ["deploy"], ["build"], ["status"], ["rollback"]])
def test_python_alone_is_enough(words: list[str]) -> None:
    """Without the folder of installed packages, as on a machine that has nothing of the project yet."""
    shown = subprocess.run([sys.executable, "-S", "-m", "release", *words, "--help"], cwd=ROOT, capture_output=True)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(b"usage: python -m release")


def test_the_summary_has_the_seconds_of_each_step(stream: io.StringIO) -> None:
    times = iter([0.0, 1.5, 10.0, 72.25])
    output = Output(stream, clock=lambda: next(times))
    with output.step("first"):
        pass
    with pytest.raises(Failed), output.step("second"):
        raise Failed("no")
    output.skip("third")
    stream.truncate(0)
    stream.seek(0)
    output.summary()
    assert stream.getvalue() == (
        "\n  done          1.5 s  first\n  FAILED       62.2 s  second\n  SKIPPED              third\n"
    )
