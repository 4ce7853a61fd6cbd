"""`pip install coinrequest`, without any extra: prices, URL tests and actions work, and Airflow is not needed."""

import json
import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.http_stub import HttpStub, Reply

from coinrequest.stack.layout import project_root

_SEES_NOTHING_ELSE = """
import importlib.util, sys
for absent in ("airflow", "sqlalchemy", "celery", "fastapi", "docker", "ccxt"):
    assert importlib.util.find_spec(absent) is None, absent
"""


def _plain_dependencies() -> set[str]:
    """Return the project's own requirements and all that these require, extras left out."""
    found: set[str] = set()
    waiting = [Requirement(line) for line in distribution("coinrequest").requires or ()]
    waiting = [requirement for requirement in waiting if _is_needed(requirement, "")]
    while waiting:
        requirement = waiting.pop()
        name = requirement.name.lower()
        extras = {"", *requirement.extras}
        if name in found and not requirement.extras:
            continue
        found.add(name)
        for line in distribution(name).requires or ():
            following = Requirement(line)
            if following.name.lower() not in found and any(_is_needed(following, extra) for extra in extras):
                waiting.append(following)
    return found


def _is_needed(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what a plain installation holds, and nothing else."""
    folder = tmp_path_factory.mktemp("plain")
    for name in sorted(_plain_dependencies()):
        for file in distribution(name).files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    (folder / "coinrequest").symlink_to(project_root() / "coinrequest")
    own = next(file for file in distribution("coinrequest").files or () if file.name == "METADATA")
    (folder / own.parts[0]).symlink_to(Path(str(distribution("coinrequest").locate_file(own.parts[0]))))
    return folder


def _run(packages: Path, program: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # -I and -S: neither the environment nor the installed packages of this interpreter.
    start = f"import sys; sys.path.insert(0, {str(packages)!r})\n"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", start + program, *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "COINREQUEST_ALLOWED_NETWORKS": "127.0.0.0/8", **variables},
    )


def _command(packages: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return _run(packages, "from coinrequest.cli import main; sys.exit(main())", *words, **variables)


def test_a_url_is_tested(packages: Path, http_stub: HttpStub) -> None:
    program = _SEES_NOTHING_ELSE + "from coinrequest.urltest import test_url; print(test_url(sys.argv[1]).result)"
    done = _run(packages, program, http_stub.url)
    assert (done.stdout, done.stderr) == ("200\n", "")


def test_a_price_is_fetched(packages: Path, http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(body=json.dumps({"data": {"rates": {"EUR": "60001.5"}}}).encode())]
    program = (
        _SEES_NOTHING_ELSE
        + "from coinrequest.prices import get_prices; print(get_prices('XBT', ['EUR']).prices[0].amount)"
    )
    done = _run(packages, program, COINREQUEST_PRICE_URL=http_stub.url)
    assert (done.stdout, done.stderr) == ("60001.5\n", "")


def test_every_action_can_be_loaded(packages: Path) -> None:
    program = """
from coinrequest.actions.catalogue import action_names, find_action
print(*[find_action(name).name for name in action_names()])
"""
    done = _run(packages, _SEES_NOTHING_ELSE + program)
    assert "integer.wait" in done.stdout.split()
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["url", "prices"])
def test_the_commands_explain_themselves(packages: Path, command: str) -> None:
    done = _command(packages, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"coinrequest {command}" in done.stdout


def test_a_command_that_needs_more_says_what_to_install(packages: Path) -> None:
    done = _command(packages, "gateway")
    assert done.returncode != 0
    assert "pip install 'coinrequest[airflow]'" in done.stderr
    assert "Traceback" not in done.stderr
