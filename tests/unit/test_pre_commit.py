"""The hooks of pre-commit: the checks of `make check`, with the locked programs and nothing fetched."""

import re
from typing import Any

import yaml

from coinrequest.stack.layout import project_root

ROOT = project_root()


def _hooks() -> list[dict[str, Any]]:
    document = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in document["repos"]] == ["local"]
    hooks: list[dict[str, Any]] = document["repos"][0]["hooks"]
    return hooks


def test_they_are_the_steps_of_make_check() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^check:.*\n((?:\t.+\n)+)", makefile, re.MULTILINE)
    assert recipe is not None
    steps = [line.strip().removeprefix("@").replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    assert [hook["entry"] for hook in _hooks()] == steps


def test_they_look_at_the_whole_project_with_what_is_installed() -> None:
    for hook in _hooks():
        assert hook["language"] == "system"
        assert hook["pass_filenames"] is False
