"""An environment with dag-factory, beside the project's own.

dag-factory registers an Airflow plugin, which every Airflow process of an environment loads: in the project's own
environment it would slow down what is measured.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import GaveUp, say
from coinrequest.stack.layout import project_root


def ensure(folder: Path) -> Path:
    """Install the locked packages with the group `benchmark` into `folder`; return its interpreter.

    Raises:
        GaveUp: uv is missing, or the packages cannot be installed.
    """
    python = folder / "bin" / "python"
    stamp = folder / ".installed"
    lock = project_root() / "uv.lock"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return python
    own = project_root() / ".stack" / "uv" / "bin" / "uv"
    uv = shutil.which("uv") or (str(own) if own.exists() else None)
    if uv is None:
        raise GaveUp("uv was not found: run `make setup` first, which fetches it")
    say(f"installing dag-factory into {folder}")
    environment = {
        **os.environ,
        "UV_PROJECT_ENVIRONMENT": str(folder),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
    }
    command = [
        uv,
        "sync",
        "--frozen",
        "--extra",
        "airflow",
        "--extra",
        "stack",
        "--group",
        "benchmark",
        "--compile-bytecode",
    ]
    done = subprocess.run(
        command, cwd=project_root(), env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise GaveUp(f"dag-factory could not be installed:\n{done.stderr[-1500:]}")
    stamp.write_bytes(lock.read_bytes())
    return python


def dag_factory_version(python: Path) -> str:
    """Return the version of dag-factory in an environment."""
    command = [str(python), "-c", "from importlib.metadata import version; print(version('dag-factory'))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
