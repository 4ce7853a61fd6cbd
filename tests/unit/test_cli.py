"""The command `coinrequest`: its version, its help and its exit codes."""

from importlib.metadata import version

import pytest

from coinrequest.cli import main


def _exit_code(*words: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


def test_it_prints_the_version_that_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code("--version") == 0
    assert capsys.readouterr() == (f"coinrequest {version('coinrequest')}\n", "")


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code("--help") == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
    assert listed == ["stack", "demo", "gateway", "channel", "new", "url", "prices"]


@pytest.mark.parametrize("command", ["stack", "demo", "gateway", "channel", "new", "url", "prices"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(command, "--help") == 0
    assert f"usage: coinrequest {command} " in capsys.readouterr().out


@pytest.mark.parametrize("words", [(), ("nothing",), ("--nothing",)])
def test_a_wrong_call_shows_the_usage(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(*words) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("usage: coinrequest ")
