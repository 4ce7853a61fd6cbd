"""dag-factory: an environment that has it, and folders with its files.

dag-factory registers an Airflow plugin, which every Airflow process of an environment loads: in the project's own
environment it would slow down what is measured.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from benchmarks.job_types import name_of
from benchmarks.measure import GaveUp, say
from benchmarks.stacks import DAGS
from coinrequest.stack.layout import project_root

_EXTRAS = ("--extra", "airflow", "--extra", "stack", "--group", "benchmark")


def interpreter() -> Path:
    """Install the locked packages with the group `benchmark` into an environment; return its interpreter.

    Raises:
        GaveUp: uv is missing, or the packages cannot be installed.
    """
    folder = project_root() / ".stack" / "bench-venv"
    python, stamp, lock = folder / "bin" / "python", folder / ".installed", project_root() / "uv.lock"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return python
    own = project_root() / ".stack" / "uv" / "bin" / "uv"
    uv = shutil.which("uv") or (str(own) if own.exists() else None)
    if uv is None:
        raise GaveUp("uv was not found: run `make setup` first, which fetches it")
    say(f"installing dag-factory into {folder}")
    settings = {
        "UV_PROJECT_ENVIRONMENT": str(folder),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
    }
    done = subprocess.run(
        [uv, "sync", "--frozen", *_EXTRAS, "--compile-bytecode"],
        cwd=project_root(),
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise GaveUp(f"dag-factory could not be installed:\n{done.stderr[-1500:]}")
    stamp.write_bytes(lock.read_bytes())
    return python


def version(python: Path) -> str:
    """Return the version of dag-factory in an environment."""
    command = [str(python), "-c", "from importlib.metadata import version; print(version('dag-factory'))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def write_file(folder: Path, name: str) -> None:
    """Write the YAML file of one DAG, as a whole."""
    dag = {
        "description": "Does nothing, for the benchmarks",
        "default_args": {"owner": "benchmark", "start_date": "2026-01-01"},
        "schedule": None,
        "catchup": False,
        "is_paused_upon_creation": False,
        "tags": ["benchmark"],
        "tasks": [
            {
                "task_id": "wait",
                "operator": "airflow.providers.standard.operators.bash.BashOperator",
                "bash_command": "true",
            }
        ],
    }
    draft = folder / f".{name}.draft"
    draft.write_text(yaml.safe_dump({name: dag}, sort_keys=False))
    draft.replace(folder / f"{name}.yaml")


def write_folder(folder: Path, count: int) -> Path:
    """Write the loader and `count` YAML files, keeping those that are there; return the loader."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        if not (folder / f"{name_of(index)}.yaml").exists():
            write_file(folder, name_of(index))
    return Path(shutil.copy2(DAGS / "factory.py", folder / "loader.py"))
