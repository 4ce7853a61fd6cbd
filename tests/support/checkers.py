"""Linters and schema checkers that are installed beside Python."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.compose import ROOT


def run_checker(program: str, *words: str | Path, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a checker over files of the repository; where it is not installed, skip the test, loudly."""
    path = Path(sys.executable).with_name(program)
    if not path.exists():
        pytest.skip(f"{program} is not installed, so its files are NOT checked: make test installs it")
    return subprocess.run([path, *words], cwd=ROOT, input=stdin, capture_output=True, text=True, check=False)
