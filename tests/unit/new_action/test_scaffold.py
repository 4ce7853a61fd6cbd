"""`coinrequest new action`: the package that it writes, and what it refuses."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from coinrequest.cli import main
from coinrequest.new_action.scaffold import scaffold

ROOT = Path(__file__).parents[3]
FILES = {"pyproject.toml", "README.md", "src/text_count/__init__.py", "tests/test_text_count.py"}


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def new(*words: str) -> int:
    return main(["new", "action", *words])


def written(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_it_writes_a_package_whose_test_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert new("text.count") == 0
    folder = Path("my-actions/text-count")
    assert written(folder) == FILES
    told = capsys.readouterr().out
    assert all(str(folder / name) in told for name in FILES)
    assert "echo ./my-actions/text-count >> extra-requirements.txt" in told
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["coinrequest.actions"] == {"text.count": "text_count:TextCount"}
    assert project["tool"]["uv"]["build-backend"]["module-name"] == "text_count"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", str(folder)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


@pytest.mark.parametrize("name", ["text.count", "a.deed"])
def test_it_writes_what_make_check_accepts(name: str) -> None:
    assert new(name) == 0
    for command in ("check", "format --check"):
        ran = subprocess.run(
            [
                Path(sys.executable).parent / "ruff",
                *command.split(),
                "--config",
                ROOT / "pyproject.toml",
                "--no-cache",
                ".",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout


def test_it_overwrites_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert new("text.count") == 0
    source = Path("my-actions/text-count/src/text_count/__init__.py")
    source.write_text("# mine\n")
    for words in (["text.count"], ["text.count", "--dry-run"], ["other.name", "--directory", "my-actions/text-count"]):
        assert new(*words) == 1
        assert "exists and is not empty; name another folder with --directory" in capsys.readouterr().err
    assert source.read_text() == "# mine\n"
    assert written(Path()) == {f"my-actions/text-count/{name}" for name in FILES}


def test_a_dry_run_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert new("text.count", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith("would write my-actions/text-count/")] != []
    assert written(Path()) == set()


def test_another_folder_can_be_named(tmp_path: Path) -> None:
    assert new("text.count", "--directory", str(tmp_path / "elsewhere")) == 0
    assert written(tmp_path / "elsewhere") == FILES
    assert scaffold("text.count", Path("../beside")).requirement == "../beside"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("TextCount", "did you mean 'text.count'?"),
        ("text count", "did you mean 'text.count'?"),
        ("Text.Count", "did you mean 'text.count'?"),
        ("text", "write two words in lower case with a dot between them, as in text.count"),
        ("", "write two words"),
        ("../etc.passwd", "did you mean 'etc.passwd'?"),
        ("1.2", "write two words"),
        ("a." + "b" * 100, "the limit is 100"),
        ("coin.prices", "an installed action is called 'coin.prices'; choose another name"),
    ],
)
def test_a_name_that_no_action_can_have_is_refused(name: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert new(name) == 1
    assert message in capsys.readouterr().err
    assert written(Path()) == set()


def test_a_folder_that_cannot_be_written_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert new("text.count", "--directory", "file/inside") == 1
    assert "file/inside cannot be written: Not a directory" in capsys.readouterr().err
