"""checkov, which has an environment of its own: its dependencies contradict those of the project."""

import shutil
import subprocess

import pytest

from support.compose import ROOT


def checkov() -> list[str]:
    """Return the command; skip the test, loudly, where it is not installed."""
    project = ROOT / "tests" / "infrastructure" / "checkov"
    installed = project / ".venv" / "bin" / "checkov"
    if installed.exists():
        return [str(installed)]
    uv = shutil.which("uv") or str(ROOT / ".stack" / "uv" / "bin" / "uv")
    command = [uv, "run", "--project", str(project), "--frozen", "checkov"]
    try:
        subprocess.run([*command, "--version"], capture_output=True, timeout=300, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"POLICIES ARE NOT CHECKED: checkov cannot be run ({error})")
    return command
